#pragma once

#include "absl/time/time.h"
#include "pipeline/source_failure.h"

namespace sam3 {

// How long to wait before a live source is connected anew: 1 s five times, 5 s
// five times, 10 s ten times, then a minute. Not thread-safe; never blocks.
class ReconnectLadder {
 public:
  // `spread`, -1 to 1, moves the wait by up to a fifth, so that many sources do
  // not come back at one moment. Wrong passwords lock accounts: after kAuth it
  // is never less than a minute.
  absl::Duration Next(SourceFailure failure, double spread);

  // Pictures came.
  void Reset() { attempts_ = 0; }

  // Waits since then.
  int attempts() const { return attempts_; }

 private:
  int attempts_ = 0;
};

}  // namespace sam3
