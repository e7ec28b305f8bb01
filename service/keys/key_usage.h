#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "service/keys/key_file.h"

namespace sam3 {

// What flows, against a rate: runs empty at that rate, and is full where the
// capacity says. Not thread-safe.
class RateMeter {
 public:
  // How long until `amount` more fits; zero when it does now.
  absl::Duration WaitFor(double amount, double rate, double capacity,
                         absl::Time now);
  // Also beyond the capacity: a debt, to be waited for.
  void Add(double amount) { level_ += amount; }

 private:
  double level_ = 0;
  absl::Time emptied_at_ = absl::InfinitePast();
};

// What one key uses at the moment. Limits come with every call, so that those
// of a file that was just read count at once. Threads: any; never blocks.
class KeyUsage {
 public:
  enum class Place { kCall, kStream };

  // The clock must outlive it.
  explicit KeyUsage(Clock& clock) : clock_(clock) {}

  // Counts one request and takes a place, or nothing: RESOURCE_EXHAUSTED
  // (KEY_LIMIT) with the time to wait names the limit that is reached. Pixels
  // are paid afterwards: a key that owes some takes no place.
  absl::Status Enter(const KeyLimits& limits, Place place);
  void Leave(Place place);

  void AddPixels(int64_t pixels);
  // How long until the pixels that were added are paid.
  absl::Duration PixelDebt(const KeyLimits& limits);

 private:
  absl::Duration PixelWait(const KeyLimits& limits, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  absl::Mutex mutex_;
  RateMeter requests_ ABSL_GUARDED_BY(mutex_);
  RateMeter megapixels_ ABSL_GUARDED_BY(mutex_);
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sam3
