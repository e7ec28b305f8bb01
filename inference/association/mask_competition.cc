#include "inference/association/mask_competition.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// Indices of the tracks of one prompt.
using Group = std::vector<size_t>;

std::map<int, Group> GroupByPrompt(absl::Span<const PromptedMask> tracks) {
  std::map<int, Group> groups;
  for (size_t i = 0; i < tracks.size(); ++i) {
    groups[tracks[i].prompt].push_back(i);
  }
  return groups;
}

bool OccludedLater(int64_t frame, int64_t others_frame) {
  return others_frame > kNeverOccluded && frame > others_frame;
}

// Words of the pixels that are inside at least two of the group's masks.
std::vector<uint64_t> ContestedPixels(absl::Span<const PromptedMask> tracks,
                                      const Group& group) {
  size_t words = 0;
  for (const size_t i : group) {
    words = std::max(words, tracks[i].mask.end_word());
  }
  std::vector<uint64_t> once(words);
  std::vector<uint64_t> contested(words);
  for (const size_t i : group) {
    const BitMask& mask = tracks[i].mask;
    for (size_t word = mask.begin_word(); word < mask.end_word(); ++word) {
      const uint64_t bits = mask.words()[word];
      contested[word] |= once[word] & bits;
      once[word] |= bits;
    }
  }
  return contested;
}

// The group's member with the greatest logit at a pixel; only members whose
// mask has the pixel inside can have it.
size_t Winner(absl::Span<const PromptedMask> tracks,
              absl::Span<const absl::Span<const float>> logits,
              const Group& group, size_t word, int bit) {
  const size_t pixel = word * 64 + static_cast<size_t>(bit);
  size_t winner = tracks.size();
  for (const size_t i : group) {
    const BitMask& mask = tracks[i].mask;
    if (word >= mask.end_word() || (mask.words()[word] >> bit & 1) == 0) {
      continue;
    }
    if (winner == tracks.size() || logits[i][pixel] > logits[winner][pixel]) {
      winner = i;
    }
  }
  return winner;
}

// Adds to `areas` what every member keeps.
void CountKept(absl::Span<const PromptedMask> tracks,
               absl::Span<const absl::Span<const float>> logits,
               const Group& group, std::vector<int64_t>* areas) {
  const std::vector<uint64_t> contested = ContestedPixels(tracks, group);
  for (const size_t i : group) {
    const BitMask& mask = tracks[i].mask;
    for (size_t word = mask.begin_word(); word < mask.end_word(); ++word) {
      (*areas)[i] += std::popcount(mask.words()[word] & ~contested[word]);
    }
  }
  for (size_t word = 0; word < contested.size(); ++word) {
    for (uint64_t left = contested[word]; left != 0; left &= left - 1) {
      ++(*areas)[Winner(tracks, logits, group, word, std::countr_zero(left))];
    }
  }
}

}  // namespace

std::vector<bool> LoseToLongerVisible(absl::Span<const PromptedMask> tracks,
                                      absl::Span<const int64_t> last_occluded,
                                      float least_overlap) {
  SAM3_CHECK(tracks.size() == last_occluded.size());
  std::vector<bool> loses(tracks.size(), false);
  for (size_t i = 0; i < tracks.size(); ++i) {
    for (size_t j = i + 1; j < tracks.size(); ++j) {
      const bool later_i = OccludedLater(last_occluded[i], last_occluded[j]);
      const bool later_j = OccludedLater(last_occluded[j], last_occluded[i]);
      if (tracks[i].prompt != tracks[j].prompt || (!later_i && !later_j) ||
          Overlap(tracks[i].mask, tracks[j].mask) < least_overlap) {
        continue;
      }
      loses[later_i ? i : j] = true;
    }
  }
  return loses;
}

std::vector<bool> KeepTheirArea(
    absl::Span<const PromptedMask> tracks,
    absl::Span<const absl::Span<const float>> logits, float least_share) {
  SAM3_CHECK(tracks.size() == logits.size());
  std::vector<bool> keeps(tracks.size(), true);
  std::vector<int64_t> areas(tracks.size(), 0);
  for (const auto& [prompt, group] : GroupByPrompt(tracks)) {
    if (group.size() == 1) continue;
    CountKept(tracks, logits, group, &areas);
    for (const size_t i : group) {
      const int64_t before = std::max<int64_t>(tracks[i].mask.area(), 1);
      keeps[i] = static_cast<float>(areas[i]) / static_cast<float>(before) >=
                 least_share;
    }
  }
  return keeps;
}

}  // namespace sam3
