#include "inference/association/options.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sam3 {
namespace {

constexpr int kLargestCount = 1'000'000;

// Remembers every violation, so that one answer names them all.
class RangeCheck {
 public:
  void Share(const char* field, float value) {
    if (value >= 0 && value <= 1) return;
    violations_.push_back(
        absl::StrCat(field, " must be from 0 to 1, is ", value));
  }
  void Count(const char* field, int value, int low, int high) {
    if (value >= low && value <= high) return;
    violations_.push_back(absl::StrCat(field, " must be from ", low, " to ",
                                       high, ", is ", value));
  }
  absl::Status Take() const {
    if (violations_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(violations_, "; "));
  }

 private:
  std::vector<std::string> violations_;
};

}  // namespace

absl::Status ValidateAssociationOptions(const AssociationOptions& options) {
  RangeCheck check;
  check.Share("detection_score", options.detection_score);
  check.Share("detection_overlap", options.detection_overlap);
  check.Share("match_overlap", options.match_overlap);
  check.Share("track_match_overlap", options.track_match_overlap);
  check.Share("birth_score", options.birth_score);
  check.Share("recondition_score", options.recondition_score);
  check.Share("recondition_overlap", options.recondition_overlap);
  check.Share("occlusion_overlap", options.occlusion_overlap);
  check.Share("memory_area_share", options.memory_area_share);
  check.Count("max_objects", options.max_objects, 1, kLargestCount);
  check.Count("hotstart_frames", options.hotstart_frames, 0, kLargestCount);
  if (options.hotstart_frames > 0) {
    check.Count("hotstart_unmatched_frames", options.hotstart_unmatched_frames,
                1, options.hotstart_frames);
    check.Count("hotstart_duplicate_frames", options.hotstart_duplicate_frames,
                1, options.hotstart_frames);
  }
  check.Count("confirmation_delay_frames", options.confirmation_delay_frames, 0,
              15);
  check.Count("keep_alive_max", options.keep_alive_max, 1, kLargestCount);
  check.Count("keep_alive_min", options.keep_alive_min, -kLargestCount,
              options.keep_alive_max);
  check.Count("keep_alive_initial", options.keep_alive_initial, 1,
              options.keep_alive_max);
  check.Count("end_after_lost_frames", options.end_after_lost_frames, 0,
              kLargestCount);
  check.Count("recondition_period_frames", options.recondition_period_frames, 0,
              kLargestCount);
  check.Count("fill_hole_area", options.fill_hole_area, 0, kLargestCount);
  return check.Take();
}

}  // namespace sam3
