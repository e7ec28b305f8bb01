#pragma once

#include <vector>

#include "absl/types/span.h"
#include "inference/association/bit_mask.h"
#include "inference/association/options.h"

namespace sam3 {

// The detections that count: score above detection_score and, among those of
// its prompt, not overlapped by more than detection_overlap by a better one
// that stays (greedy). Best first means higher score, at equal scores lower
// index. `masks` and `scores` are parallel. Returns indices, ascending. Pure.
// Reference: nms_masks of sam3_video, whose order of ties is undefined.
std::vector<int> SelectDetections(absl::Span<const PromptedMask> masks,
                                  absl::Span<const float> scores,
                                  const AssociationOptions& options);

// How the detections of a frame relate to its propagated tracks. Lists ascend.
struct Matches {
  // Detections that are new objects, before the cap on objects.
  std::vector<int> births;
  // Tracks with a mask that no detection overlaps enough.
  std::vector<int> unmatched_tracks;
  // Tracks without a mask; they are not unmatched.
  std::vector<int> empty_tracks;
  // For every detection, all tracks that it matches.
  std::vector<std::vector<int>> tracks_of;
  // For every track, the detection that may recondition it, or -1: the last of
  // the confident ones that overlap this track most (at equal overlaps, the
  // first track) and enough.
  std::vector<int> confirming_detection;
};

// `scores` is parallel to `detections`. Pure.
// Reference: Sam3VideoModel._associate_det_trk.
Matches MatchDetections(absl::Span<const PromptedMask> detections,
                        absl::Span<const float> scores,
                        absl::Span<const PromptedMask> tracks,
                        const AssociationOptions& options);

// At most `room` of the detections in `births`. When all fit they keep their
// order; otherwise the best ones, best first, at equal scores lower index
// first, as the reference numbers them. Pure.
std::vector<int> CapBirths(std::vector<int> births,
                           absl::Span<const float> scores, int room);

}  // namespace sam3
