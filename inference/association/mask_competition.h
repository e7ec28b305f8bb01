#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "inference/association/bit_mask.h"

namespace sam3 {

// "Last occluded" of a track that never was.
inline constexpr int64_t kNeverOccluded = -1;

// Which tracks lose to another one of their prompt that overlaps by
// `least_overlap` or more: of the two, the one occluded later, provided that
// the other was occluded at all; at equal frames neither. All pairs are judged
// by the given masks, so a loser still makes others lose. `last_occluded` is
// parallel to `tracks`. Pure.
// Reference: _get_objects_to_suppress_based_on_most_recently_occluded.
std::vector<bool> LoseToLongerVisible(absl::Span<const PromptedMask> tracks,
                                      absl::Span<const int64_t> last_occluded,
                                      float least_overlap);

// Which masks keep at least `least_share` of their area when every pixel goes
// to the mask of its prompt with the greatest logit, at equal logits to the
// first. A prompt's only mask keeps everything. `logits` are those behind
// `tracks`, parallel to them; only pixels inside several masks are read. Pure.
// Reference: _suppress_object_pw_area_shrinkage.
std::vector<bool> KeepTheirArea(
    absl::Span<const PromptedMask> tracks,
    absl::Span<const absl::Span<const float>> logits, float least_share);

}  // namespace sam3
