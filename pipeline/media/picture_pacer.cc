#include "pipeline/media/picture_pacer.h"

namespace sam3 {
namespace {

// From one picture to the next; more is the source's clock being set.
constexpr absl::Duration kLongestStep = absl::Seconds(10);
// What is later than that is not made up for.
constexpr absl::Duration kLatest = absl::Seconds(30);

}  // namespace

absl::Time PicturePacer::Due(absl::Duration offset, bool begins,
                             absl::Time now) {
  const absl::Duration step = offset - last_;
  last_ = offset;
  if (!start_.has_value() || begins || step < absl::ZeroDuration() ||
      step > kLongestStep || *start_ + offset > now + step ||
      *start_ + offset < now - kLatest) {
    start_ = now - offset;
  }
  return *start_ + offset;
}

}  // namespace sam3
