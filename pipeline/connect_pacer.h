#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sam3 {

// Spreads the connections of all live sources over time, so that a network that
// comes back is not met by all of them at once. Threads: any; never blocks.
class ConnectPacer {
 public:
  explicit ConnectPacer(int connects_per_second);

  // When the caller may connect: `now` or later, each time another.
  absl::Time Reserve(absl::Time now);

 private:
  const absl::Duration interval_;
  absl::Mutex mutex_;
  absl::Time next_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace sam3
