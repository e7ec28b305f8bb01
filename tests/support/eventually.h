#pragma once

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sam3 {

// Whether `holds` becomes true, for what another thread or process does and
// tells nobody: looks again and again, and gives up after a time that no
// machine needs.
inline bool Eventually(const std::function<bool()>& holds) {
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (!holds()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace sam3
