#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace sam3 {

// Runs `body` in inference mode and turns whatever libtorch or CUDA throws into
// a status; the only place that catches. Runs on the calling thread, which is
// the one that owns the engine.
//
// RESOURCE_EXHAUSTED: the device (or the host) is out of memory, the engine
// stays usable. UNAVAILABLE: the device reported an error that sticks to the
// process. INTERNAL: anything else.
absl::Status GuardTorch(absl::FunctionRef<absl::Status()> body);

}  // namespace sam3
