#include "pipeline/batch_limit.h"

#include <algorithm>

namespace sam3 {

void BatchLimit::BatchDone(int jobs, absl::Duration busy) {
  // Of the target. With more, a limit that fits would be left at once for one
  // that does not.
  constexpr double kLeavesRoom = 0.75;
  if (busy > target_) {
    const auto fits =
        static_cast<int>(jobs * absl::FDivDuration(target_, busy));
    jobs_ = std::clamp(fits, 1, jobs_);
  } else if (jobs >= jobs_ && busy < kLeavesRoom * target_) {
    jobs_ = std::min(jobs_ + 1, most_);
  }
}

}  // namespace sam3
