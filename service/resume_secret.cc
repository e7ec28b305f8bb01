#include "service/resume_secret.h"

#include <openssl/rand.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr size_t kLeastBytes = 32;

}  // namespace

absl::StatusOr<Secret> ReadResumeSecret(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot open"));
  }
  std::string text(std::istreambuf_iterator<char>(stream), {});
  absl::StripTrailingAsciiWhitespace(&text);
  if (text.size() < kLeastBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", text.size(), " bytes, and a secret needs ",
                     kLeastBytes, "; openssl rand -hex 32 makes one"));
  }
  return Secret(std::move(text));
}

absl::StatusOr<Secret> RandomResumeSecret() {
  std::array<unsigned char, kLeastBytes> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return absl::InternalError("the system has no random numbers to give");
  }
  return Secret(std::string(random.begin(), random.end()));
}

}  // namespace sam3
