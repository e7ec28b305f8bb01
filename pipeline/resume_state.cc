#include "pipeline/resume_state.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

// Logits of what is certainly the object, and, negated, of what is not.
constexpr float kInside = 10.0f;

absl::Status Senseless(int64_t id, const char* what) {
  return WithReason(absl::InvalidArgumentError(absl::StrCat(
                        "the resume token's object ", id, " ", what)),
                    reason::kResumeRejected);
}

void FillBox(const Box& box, LowResMask* mask) {
  for (int y = static_cast<int>(box.y0); y < static_cast<int>(box.y1); ++y) {
    const auto row = mask->values.begin() + std::ptrdiff_t{y} * mask->width;
    std::fill(row + static_cast<int>(box.x0), row + static_cast<int>(box.x1),
              kInside);
  }
}

void FillRuns(const MaskRuns& runs, LowResMask* mask) {
  size_t at = 0;  // down the columns
  bool inside = false;
  for (const uint32_t count : runs.counts) {
    for (uint32_t i = 0; inside && i < count; ++i) {
      const size_t x = (at + i) / static_cast<size_t>(runs.height);
      const size_t y = (at + i) % static_cast<size_t>(runs.height);
      mask->values[y * static_cast<size_t>(runs.width) + x] = kInside;
    }
    at += count;
    inside = !inside;
  }
}

absl::StatusOr<TrackSeed> MakeSeed(const ResumeObject& object, int side) {
  const auto in_order = [side](float low, float high) {
    return low >= 0 && low <= high && high <= static_cast<float>(side);
  };
  if (!in_order(object.box.x0, object.box.x1) ||
      !in_order(object.box.y0, object.box.y1)) {
    return Senseless(object.id, "has a box outside of the mask");
  }
  TrackSeed seed{object.id, object.prompt, object.score, object.phase, {}};
  const size_t pixels = static_cast<size_t>(side) * static_cast<size_t>(side);
  seed.mask = {side, side, std::vector<float>(pixels, -kInside), 0.0f};
  if (object.mask_counts.empty()) {
    FillBox(object.box, &seed.mask);
    return seed;
  }
  const auto runs = RunsFromCoco({side, side, object.mask_counts});
  if (!runs.ok()) return Senseless(object.id, "has a mask that is none");
  FillRuns(*runs, &seed.mask);
  return seed;
}

}  // namespace

void KeepLargestMasks(size_t max_bytes, std::vector<ResumeObject>* objects) {
  size_t bytes = 0;
  std::vector<ResumeObject*> by_area;
  for (ResumeObject& object : *objects) {
    bytes += object.mask_counts.size();
    by_area.push_back(&object);
  }
  const auto area = [](const ResumeObject* object) {
    return object->box.width() * object->box.height();
  };
  std::stable_sort(by_area.begin(), by_area.end(),
                   [&area](const ResumeObject* a, const ResumeObject* b) {
                     return area(a) < area(b);
                   });
  for (ResumeObject* object : by_area) {
    if (bytes <= max_bytes) return;
    bytes -= object->mask_counts.size();
    object->mask_counts.clear();
  }
}

absl::StatusOr<TrackSeeds> MakeTrackSeeds(const ResumeState& state,
                                          int mask_size) {
  if (state.mask_size != mask_size) {
    return WithReason(absl::InvalidArgumentError(absl::StrCat(
                          "the resume token has masks of ", state.mask_size,
                          " pixels a side, and the model's have ", mask_size)),
                      reason::kResumeRejected);
  }
  TrackSeeds seeds;
  seeds.next_id = state.next_object_id;
  int64_t least_id = 0;
  for (const ResumeObject& object : state.objects) {
    if (object.id < least_id || object.id >= state.next_object_id) {
      return Senseless(object.id, "has an id out of order");
    }
    if (object.prompt < 0 ||
        object.prompt >= static_cast<int>(state.prompts.size())) {
      return Senseless(object.id, "has no prompt");
    }
    if (!(object.score >= 0 && object.score <= 1)) {
      return Senseless(object.id, "has a score that is no probability");
    }
    least_id = object.id + 1;
    SAM3_ASSIGN_OR_RETURN(TrackSeed seed, MakeSeed(object, mask_size));
    seeds.objects.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace sam3
