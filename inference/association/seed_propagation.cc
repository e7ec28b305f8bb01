#include "inference/association/seed_propagation.h"

#include <algorithm>
#include <cstddef>

#include "inference/association/bit_mask.h"
#include "inference/association/detection_matching.h"

namespace sam3 {
namespace {

// The logit of an object that is certainly there.
constexpr float kPresent = 10.0f;

struct CountingDetections {
  std::vector<const Detection*> detections;
  std::vector<PromptedMask> masks;  // parallel
};

CountingDetections Select(absl::Span<const TrackedPrompt> prompts,
                          const AssociationOptions& options) {
  CountingDetections all;
  std::vector<float> scores;
  for (const TrackedPrompt& prompt : prompts) {
    if (prompt.found == nullptr) continue;
    for (const Detection& detection : prompt.found->detections) {
      all.detections.push_back(&detection);
      all.masks.push_back(
          {prompt.prompt, BitMask::FromLogits(detection.mask.values)});
      scores.push_back(detection.score);
    }
  }
  CountingDetections chosen;
  for (const int i : SelectDetections(all.masks, scores, options)) {
    const auto at = static_cast<size_t>(i);
    chosen.detections.push_back(all.detections[at]);
    chosen.masks.push_back(std::move(all.masks[at]));
  }
  return chosen;
}

// For every row its column or -1: the greatest overlaps first.
std::vector<int> PairUp(const OverlapMatrix& overlaps, size_t rows,
                        float least_overlap) {
  struct Pair {
    size_t row = 0;
    size_t column = 0;
    float overlap = 0;
  };
  std::vector<Pair> pairs;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < overlaps.columns; ++column) {
      const float overlap = overlaps.at(row, column);
      if (overlap > 0 && overlap >= least_overlap) {
        pairs.push_back({row, column, overlap});
      }
    }
  }
  std::stable_sort(
      pairs.begin(), pairs.end(),
      [](const Pair& a, const Pair& b) { return a.overlap > b.overlap; });
  std::vector<int> column_of(rows, -1);
  std::vector<bool> taken(overlaps.columns, false);
  for (const Pair& pair : pairs) {
    if (column_of[pair.row] >= 0 || taken[pair.column]) continue;
    column_of[pair.row] = static_cast<int>(pair.column);
    taken[pair.column] = true;
  }
  return column_of;
}

}  // namespace

std::vector<PropagatedObject> PropagateSeeds(
    absl::Span<const TrackSeed> seeds, const TrackTable& table,
    absl::Span<const TrackedPrompt> prompts) {
  std::vector<const TrackSeed*> followed;
  std::vector<PromptedMask> masks;
  for (const TrackSeed& seed : seeds) {
    if (!table.Contains(seed.id)) continue;
    followed.push_back(&seed);
    masks.push_back({seed.prompt, BitMask::FromLogits(seed.mask.values)});
  }
  if (followed.empty()) return {};
  const CountingDetections found = Select(prompts, table.options());
  const std::vector<int> detection_of =
      PairUp(Overlaps(masks, found.masks), followed.size(),
             table.options().match_overlap);
  std::vector<PropagatedObject> objects;
  for (size_t i = 0; i < followed.size(); ++i) {
    const TrackSeed& seed = *followed[i];
    PropagatedObject object{seed.id, kPresent, seed.mask.values};
    if (detection_of[i] >= 0) {
      object.logits =
          found.detections[static_cast<size_t>(detection_of[i])]->mask.values;
    } else if (table.at(seed.id).phase == TrackPhase::kLost) {
      object.object_logit = -kPresent;
      std::fill(object.logits.begin(), object.logits.end(), -kPresent);
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace sam3
