#include "inference/association/detection_matching.h"

#include <algorithm>
#include <cstddef>

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

void SortBestFirst(absl::Span<const float> scores, std::vector<int>* indices) {
  std::stable_sort(indices->begin(), indices->end(),
                   [scores](int a, int b) { return scores[a] > scores[b]; });
}

// The track that the row's detection overlaps most; there is at least one.
size_t BestTrack(const OverlapMatrix& overlaps, size_t row) {
  size_t best = 0;
  for (size_t track = 1; track < overlaps.columns; ++track) {
    if (overlaps.at(row, track) > overlaps.at(row, best)) best = track;
  }
  return best;
}

// Tracks that some detection overlaps by at least `threshold`.
std::vector<bool> OverlappedTracks(const OverlapMatrix& overlaps, size_t rows,
                                   float threshold) {
  std::vector<bool> overlapped(overlaps.columns, false);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t track = 0; track < overlaps.columns; ++track) {
      if (overlaps.at(row, track) >= threshold) overlapped[track] = true;
    }
  }
  return overlapped;
}

}  // namespace

std::vector<int> SelectDetections(absl::Span<const PromptedMask> masks,
                                  absl::Span<const float> scores,
                                  const AssociationOptions& options) {
  SAM3_CHECK(masks.size() == scores.size());
  std::vector<int> candidates;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > options.detection_score) {
      candidates.push_back(static_cast<int>(i));
    }
  }
  if (options.detection_overlap <= 0) return candidates;
  SortBestFirst(scores, &candidates);
  std::vector<int> kept;
  for (const int candidate : candidates) {
    const PromptedMask& mask = masks[candidate];
    const bool suppressed =
        std::any_of(kept.begin(), kept.end(), [&](int winner) {
          return masks[winner].prompt == mask.prompt &&
                 Overlap(masks[winner].mask, mask.mask) >
                     options.detection_overlap;
        });
    if (!suppressed) kept.push_back(candidate);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

Matches MatchDetections(absl::Span<const PromptedMask> detections,
                        absl::Span<const float> scores,
                        absl::Span<const PromptedMask> tracks,
                        const AssociationOptions& options) {
  SAM3_CHECK(detections.size() == scores.size());
  const OverlapMatrix overlaps = Overlaps(detections, tracks);
  Matches matches;
  matches.tracks_of.resize(detections.size());
  matches.confirming_detection.assign(tracks.size(), -1);
  for (size_t row = 0; row < detections.size(); ++row) {
    const int detection = static_cast<int>(row);
    std::vector<int>& matched = matches.tracks_of[row];
    for (size_t track = 0; track < tracks.size(); ++track) {
      if (overlaps.at(row, track) >= options.match_overlap) {
        matched.push_back(static_cast<int>(track));
      }
    }
    if (tracks.empty() ||
        (matched.empty() && scores[row] >= options.birth_score)) {
      matches.births.push_back(detection);
      continue;
    }
    const size_t best = BestTrack(overlaps, row);
    if (scores[row] >= options.recondition_score &&
        overlaps.at(row, best) >= options.recondition_overlap) {
      matches.confirming_detection[best] = detection;
    }
  }
  const std::vector<bool> matched = OverlappedTracks(
      overlaps, detections.size(), options.track_match_overlap);
  for (size_t track = 0; track < tracks.size(); ++track) {
    if (tracks[track].mask.empty()) {
      matches.empty_tracks.push_back(static_cast<int>(track));
    } else if (!matched[track]) {
      matches.unmatched_tracks.push_back(static_cast<int>(track));
    }
  }
  return matches;
}

std::vector<int> CapBirths(std::vector<int> births,
                           absl::Span<const float> scores, int room) {
  const size_t places = static_cast<size_t>(std::max(room, 0));
  if (births.size() <= places) return births;
  SortBestFirst(scores, &births);
  births.resize(places);
  return births;
}

}  // namespace sam3
