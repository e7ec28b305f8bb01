#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace sam3 {

// Takes from this process, for good, what computing does not need: it keeps the
// memory and the files that it has, and may read and write those, take up to
// `max_memory_bytes` more memory and end. What else it asks the kernel for is
// refused (EPERM): files, sockets, programs, threads, signals to others, code
// that was not there before.
//
// For a process of one thread. UNAVAILABLE where the kernel cannot do that; the
// process is to end then.
absl::Status ConfineThisProcess(size_t max_memory_bytes);

}  // namespace sam3
