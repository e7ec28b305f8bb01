#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "service/keys/secret.h"

namespace sam3 {

// The key to present: that of `file`, or of the environment's SAM3_API_KEY
// where no file is named; empty when there is neither. There is no flag for the
// key itself, since everybody on the machine can read command lines. NOT_FOUND
// for a file that cannot be read, INVALID_ARGUMENT for text that is no key.
// Before other threads run.
absl::StatusOr<Secret> FindApiKey(const std::string& file);

}  // namespace sam3
