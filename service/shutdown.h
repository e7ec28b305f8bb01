#pragma once

#include "absl/time/time.h"

namespace sam3 {

// Signals as something to wait for. Block them in main() before any thread is
// started, so that no handler ever runs.
class ShutdownSignals {
 public:
  // Blocks SIGTERM and SIGINT, and ignores SIGPIPE, for this thread and all
  // that it starts.
  ShutdownSignals();

  // Waits for a signal; false when `timeout` passes first.
  bool Await(absl::Duration timeout) const;
};

}  // namespace sam3
