#pragma once

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/keys/secret.h"

namespace sam3 {

// What a client presents: sk_<id>_<secret>_<check>. The id names the key in
// files and logs; the secret is 160 random bits in hexadecimal; the check is
// the beginning of a hash over everything before it, so that a key which was
// cut or mistyped is told apart from a wrong one without a look-up.
//
// Pure functions but for MakeKey(); any thread; nothing blocks.

// SHA-256. A fast hash is right for secrets that nobody could guess.
using SecretDigest = std::array<unsigned char, 32>;

inline constexpr size_t kMaxKeyIdBytes = 32;

struct KeyText {
  std::string id;
  std::string secret;
};

struct NewKey {
  Secret text;
  SecretDigest digest{};
};

// Lower-case letters, digits and dashes, 1 to kMaxKeyIdBytes of them.
bool IsKeyId(absl::string_view id);

// A key nobody has seen. INVALID_ARGUMENT for what is no id, INTERNAL when the
// system has no randomness to give.
absl::StatusOr<NewKey> MakeKey(absl::string_view id);

// INVALID_ARGUMENT for text that is no whole key; says what is wrong with it
// and repeats none of it.
absl::StatusOr<KeyText> ParseKeyText(absl::string_view text);

SecretDigest DigestOf(absl::string_view secret);

// In the same time wherever they differ.
bool SameDigest(const SecretDigest& one, const SecretDigest& other);

}  // namespace sam3
