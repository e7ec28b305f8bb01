#include "pipeline/tracked_memory.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

// Objects go with their streams, or when they have not been seen for long.
constexpr absl::Duration kUntilObjectsGo = absl::Seconds(10);

}  // namespace

void TrackedMemory::Share::Measure() {
  if (tracks_ != nullptr) {
    Count(tracks_->size_bytes(), tracks_->object_count());
  }
}

void TrackedMemory::Share::Count(size_t bytes, int objects) {
  metrics_.tracked_bytes.Add(static_cast<int64_t>(bytes) -
                             static_cast<int64_t>(bytes_));
  metrics_.tracked_objects.Add(objects - objects_);
  bytes_ = bytes;
  objects_ = objects;
}

absl::Status TrackedMemory::Room() const {
  const int64_t held = metrics_.tracked_bytes.value();
  if (held < static_cast<int64_t>(max_bytes_)) return absl::OkStatus();
  return WithRetryAfter(
      WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "overloaded: the ", metrics_.tracked_objects.value(),
              " objects that streams follow hold ", held >> 20,
              " MB, and no more are taken; drop objects or end streams, or "
              "raise limits.tracked_objects_mb")),
          reason::kOverloaded),
      kUntilObjectsGo);
}

}  // namespace sam3
