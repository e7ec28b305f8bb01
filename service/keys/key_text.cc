#include "service/keys/key_text.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sam3 {
namespace {

constexpr size_t kSecretBytes = 20;
constexpr size_t kCheckBytes = 4;
constexpr absl::string_view kPrefix = "sk";

std::string Hex(const unsigned char* bytes, size_t count) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes), count));
}

std::string CheckOf(absl::string_view text) {
  return Hex(DigestOf(text).data(), kCheckBytes);
}

absl::Status NoKey(absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the key is not whole: ", why));
}

}  // namespace

bool IsKeyId(absl::string_view id) {
  return !id.empty() && id.size() <= kMaxKeyIdBytes &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
         });
}

absl::StatusOr<NewKey> MakeKey(absl::string_view id) {
  if (!IsKeyId(id)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "an id has 1 to ", kMaxKeyIdBytes,
        " lower-case letters, digits and dashes, not \"", id, "\""));
  }
  std::array<unsigned char, kSecretBytes> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return absl::InternalError("the system has no random numbers to give");
  }
  const std::string secret = Hex(random.data(), random.size());
  const std::string body = absl::StrCat(kPrefix, "_", id, "_", secret);
  return NewKey{Secret(absl::StrCat(body, "_", CheckOf(body))),
                DigestOf(secret)};
}

absl::StatusOr<KeyText> ParseKeyText(absl::string_view text) {
  constexpr size_t kRest =
      kPrefix.size() + 3 + 2 * kSecretBytes + 2 * kCheckBytes;
  if (text.size() > kMaxKeyIdBytes + kRest) return NoKey("it is too long");
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '_');
  if (parts.size() != 4 || parts[0] != kPrefix || !IsKeyId(parts[1]) ||
      parts[2].size() != 2 * kSecretBytes) {
    return NoKey("it must be sk_ID_SECRET_CHECK");
  }
  const absl::string_view body = text.substr(0, text.rfind('_'));
  if (CheckOf(body) != parts[3]) {
    return NoKey("its last eight digits do not fit the others");
  }
  return KeyText{std::string(parts[1]), std::string(parts[2])};
}

SecretDigest DigestOf(absl::string_view secret) {
  SecretDigest digest{};
  static_assert(sizeof(digest) == SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
         digest.data());
  return digest;
}

bool SameDigest(const SecretDigest& one, const SecretDigest& other) {
  return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace sam3
