#include "pipeline/reconnect_ladder.h"

#include <algorithm>
#include <cmath>

namespace sam3 {
namespace {

constexpr double kJitter = 0.2;

struct Step {
  int until;  // attempts
  int seconds;
};
constexpr Step kSteps[] = {{5, 1}, {10, 5}, {20, 10}};
constexpr absl::Duration kLongest = absl::Minutes(1);

}  // namespace

absl::Duration ReconnectLadder::Next(SourceFailure failure, double spread) {
  absl::Duration wait = kLongest;
  for (const Step& step : kSteps) {
    if (attempts_ >= step.until) continue;
    wait = absl::Seconds(step.seconds);
    break;
  }
  ++attempts_;
  if (failure == SourceFailure::kAuth) {
    return kLongest * (1 + kJitter * std::abs(spread));
  }
  return wait * (1 + kJitter * spread);
}

}  // namespace sam3
