#pragma once

#include <optional>

#include "absl/time/time.h"

namespace sam3 {

// Gives the pictures of a live source times that only grow, whatever its clock
// says: it may be missing, run backwards, jump or wrap around, and begins anew
// with every connection. Small steps of the source's clock are believed; for
// anything else the moment of arrival counts.
//
// Not thread-safe; never blocks.
class MediaTimeline {
 public:
  struct Place {
    absl::Duration offset;  // since the first picture; greater than the last
    bool jumped = false;    // the source's clock was not believed
  };

  // `offset` is what the source says; `begins` when its clock begins anew, with
  // a connection or in the middle of one.
  Place Next(absl::Duration offset, absl::Time arrived, bool begins);

 private:
  std::optional<absl::Time> start_;
  absl::Duration last_said_;
  absl::Duration last_;
};

}  // namespace sam3
