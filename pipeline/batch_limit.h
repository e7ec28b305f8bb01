#pragma once

#include "absl/time/time.h"

namespace sam3 {

// How many jobs a batch may have for it to take no longer than it should.
//
// Whoever comes just after a batch has started waits for all of it and then for
// the own one, so a batch that is longer than its fixed cost deserves is
// latency that buys nothing. The limit follows what batches take: one that took
// too long shrinks it to what the cost of a job allows, a full one with room
// for more lets it grow by one. A job that alone takes too long runs alone.
//
// Not thread-safe; never blocks.
class BatchLimit {
 public:
  // Starts at `most`, which it never exceeds.
  BatchLimit(int most, absl::Duration target)
      : most_(most), target_(target), jobs_(most) {}

  int jobs() const { return jobs_; }

  // A batch of `jobs` > 0 took so long.
  void BatchDone(int jobs, absl::Duration busy);

 private:
  const int most_;
  const absl::Duration target_;
  int jobs_;
};

}  // namespace sam3
