#pragma once

#include <optional>

#include "absl/time/time.h"

namespace sam3 {

// Tells when each picture of a live source is due that sends them in bursts, so
// that the newest picture is not the burst's last one for as long as the next
// burst takes. Pictures that come late are due at once, until the lost time is
// made up for.
//
// Not thread-safe; never blocks.
class PicturePacer {
 public:
  // `offset` as in VideoPicture; `begins` when it does not go on from the
  // picture before. The clock that `now` is of may jump; no picture is due
  // later than the step from the one before.
  absl::Time Due(absl::Duration offset, bool begins, absl::Time now);

 private:
  // When a picture of offset zero was due.
  std::optional<absl::Time> start_;
  absl::Duration last_;
};

}  // namespace sam3
