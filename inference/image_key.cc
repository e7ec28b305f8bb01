#include "inference/image_key.h"

#include <openssl/sha.h>

#include <array>

#include "absl/strings/escaping.h"

namespace sam3 {

std::string ImageDigest(absl::string_view encoded) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(encoded.data()), encoded.size(),
         digest.data());
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace sam3
