#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "service/keys/secret.h"

namespace sam3 {

// What the servers of a fleet sign their resume tokens with. Any thread; both
// block for a moment.

// INVALID_ARGUMENT for a file that cannot be read or holds less than 32 bytes;
// says how to make one. White space at the end does not count.
absl::StatusOr<Secret> ReadResumeSecret(const std::string& path);

// A secret that no other process has. INTERNAL when the system has no random
// numbers.
absl::StatusOr<Secret> RandomResumeSecret();

}  // namespace sam3
