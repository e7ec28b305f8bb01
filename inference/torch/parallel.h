#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace sam3 {

// Calls `body` with 0 to count - 1, on the library's threads. Within a body
// everything runs on its own thread, calls of this function too. Blocks until
// all have returned; throws what one has thrown. Inside GuardTorch.
void ForEachInParallel(int64_t count, absl::FunctionRef<void(int64_t)> body);

}  // namespace sam3
