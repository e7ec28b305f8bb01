#pragma once

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"

namespace sam3 {

// Wall-clock time that waits skip: they end at once, at their deadline. For
// what waits for its own time between dealings with the world. Thread-safe.
class SkippingClock final : public Clock {
 public:
  absl::Time Now() const override {
    const absl::MutexLock lock(&mutex_);
    return absl::Now() + skipped_;
  }

  bool AwaitWithDeadline(absl::Mutex* /*mutex*/,
                         const absl::Condition& condition,
                         absl::Time deadline) override {
    if (condition.Eval()) return true;
    const absl::Duration left = deadline - Now();
    const absl::MutexLock lock(&mutex_);
    skipped_ += std::max(left, absl::ZeroDuration());
    return false;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Duration skipped_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
