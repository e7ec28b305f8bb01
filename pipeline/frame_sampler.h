#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace sam3 {

// Decides which frames of a stream are analysed: every n-th, or at most so many
// a second of media time. Not thread-safe; never blocks.
class FrameSampler {
 public:
  // 0 frames a second, or 1 for every_nth, means all.
  FrameSampler(double frames_per_second, int every_nth)
      : interval_(frames_per_second > 0 ? absl::Seconds(1) / frames_per_second
                                        : absl::ZeroDuration()),
        every_nth_(every_nth < 1 ? 1 : every_nth) {}

  // For frames in order; `offset` is the frame's media time.
  bool Wants(absl::Duration offset) {
    if (count_++ % every_nth_ != 0) return false;
    if (interval_ == absl::ZeroDuration()) return true;
    // A little slack keeps a source whose own rate is the wanted one from
    // losing frames to rounding.
    if (count_ > 1 && offset + interval_ / 100 < next_) return false;
    // A grid instead of "last + interval", so that the mean rate is right.
    next_ = count_ == 1 ? offset + interval_ : next_ + interval_;
    if (next_ <= offset) next_ = offset + interval_;
    return true;
  }

 private:
  const absl::Duration interval_;
  const int every_nth_;
  int64_t count_ = 0;
  absl::Duration next_;
};

}  // namespace sam3
