#include "pipeline/connect_pacer.h"

#include <algorithm>

namespace sam3 {

ConnectPacer::ConnectPacer(int connects_per_second)
    : interval_(absl::Seconds(1) / connects_per_second) {}

absl::Time ConnectPacer::Reserve(absl::Time now) {
  const absl::MutexLock lock(&mutex_);
  const absl::Time reserved = std::max(now, next_);
  next_ = reserved + interval_;
  return reserved;
}

}  // namespace sam3
