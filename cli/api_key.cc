#include "cli/api_key.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "service/keys/key_text.h"

namespace sam3 {
namespace {

constexpr char kVariable[] = "SAM3_API_KEY";

}  // namespace

absl::StatusOr<Secret> FindApiKey(const std::string& file) {
  std::string text;
  if (!file.empty()) {
    // Reading a folder throws.
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) {
      return absl::NotFoundError(
          absl::StrCat("--api-key-file ", file, ": is a folder"));
    }
    std::ifstream stream(file);
    text.assign(std::istreambuf_iterator<char>(stream), {});
    if (!stream.is_open() || stream.bad()) {
      return absl::NotFoundError(
          absl::StrCat("--api-key-file ", file, ": cannot be read"));
    }
  } else if (const char* value =
                 std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe)
             value != nullptr) {
    text = value;
  }
  absl::StripAsciiWhitespace(&text);
  if (text.empty() && file.empty()) return Secret();
  // Told here, where somebody can look at the file.
  const auto parsed = ParseKeyText(text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.empty() ? kVariable : "--api-key-file " + file, ": ",
                     parsed.status().message()));
  }
  return Secret(std::move(text));
}

}  // namespace sam3
