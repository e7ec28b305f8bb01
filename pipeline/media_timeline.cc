#include "pipeline/media_timeline.h"

#include <algorithm>

namespace sam3 {
namespace {

// The largest step that a clock may take from one picture to the next; more is
// a jump.
constexpr absl::Duration kLongestStep = absl::Seconds(10);
// A clock that stands still or trembles is no jump.
constexpr absl::Duration kTremble = absl::Seconds(1);
constexpr absl::Duration kShortestStep = absl::Milliseconds(1);

}  // namespace

MediaTimeline::Place MediaTimeline::Next(absl::Duration offset,
                                         absl::Time arrived, bool begins) {
  if (!start_.has_value()) {
    start_ = arrived;
    last_said_ = offset;
    last_ = absl::ZeroDuration();
    return {};
  }
  const absl::Duration step = offset - last_said_;
  last_said_ = offset;
  Place place;
  if (!begins && step > absl::ZeroDuration() && step <= kLongestStep) {
    place.offset = last_ + step;
  } else {
    place.offset = std::max(arrived - *start_, last_ + kShortestStep);
    place.jumped = !begins && (step > kLongestStep || step < -kTremble);
  }
  last_ = place.offset;
  return place;
}

}  // namespace sam3
