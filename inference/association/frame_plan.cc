#include "inference/association/frame_plan.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "inference/association/bit_mask.h"
#include "inference/association/detection_matching.h"
#include "inference/association/mask_competition.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// One frame's way through the steps. "Detection" is an index among those that
// count, "track" one among the propagated.
class FramePlanner {
 public:
  FramePlanner(const FrameInput& input, TrackTable* table)
      : input_(input), table_(*table), options_(table->options()) {
    CheckInput();
    ReadTracks();
    ReadDetections();
  }

  FramePlan Plan() {
    const std::vector<int> births = Match();
    SuppressOccluded();
    Advance();
    PlanMemory();
    OutputTracks();
    for (const int detection : births) AddObject(detection);
    return std::move(plan_);
  }

 private:
  void CheckInput() const;
  void ReadTracks();
  void ReadDetections();
  // What detections say of tracks; returns those that become objects.
  std::vector<int> Match();
  void Count(const Matches& matches);
  void Recondition(const Matches& matches);
  void SuppressOccluded();
  void Advance();
  void PlanMemory();
  void OutputTracks();
  void AddObject(int detection);

  std::vector<int64_t> Ids(absl::Span<const int> tracks) const;
  bool Visible(size_t track) const {
    return !tracks_[track].mask.empty() && !suppressed_[track];
  }

  const FrameInput& input_;
  TrackTable& table_;
  const AssociationOptions& options_;
  FramePlan plan_;

  std::vector<int> chosen_;  // the detections' indices in the input
  std::vector<PromptedMask> detections_;
  std::vector<float> scores_;
  std::vector<PromptedMask> tracks_;
  std::vector<bool> removed_;
  std::vector<bool> suppressed_;
  // For every track the detection that reconditions it, or -1.
  std::vector<int> reconditioning_;
};

void FramePlanner::CheckInput() const {
  const std::vector<int64_t> ids = table_.ids();
  SAM3_CHECK(ids.size() == input_.tracks.size());
  size_t pixels = 0;
  const auto check_size = [&pixels](absl::Span<const float> logits) {
    if (pixels == 0) pixels = logits.size();
    SAM3_CHECK(!logits.empty() && logits.size() == pixels);
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    SAM3_CHECK(ids[i] == input_.tracks[i].id);
    check_size(input_.tracks[i].logits);
  }
  for (const FrameDetection& detection : input_.detections) {
    check_size(detection.logits);
  }
}

void FramePlanner::ReadTracks() {
  for (const PropagatedTrack& track : input_.tracks) {
    tracks_.push_back(
        {table_.at(track.id).prompt, BitMask::FromLogits(track.logits)});
  }
  removed_.assign(tracks_.size(), false);
  suppressed_.assign(tracks_.size(), false);
  reconditioning_.assign(tracks_.size(), -1);
}

void FramePlanner::ReadDetections() {
  std::vector<PromptedMask> masks;
  std::vector<float> scores;
  std::vector<int> indices;
  for (size_t i = 0; i < input_.detections.size(); ++i) {
    const FrameDetection& detection = input_.detections[i];
    // Most queries find nothing; their masks are not worth packing.
    if (!(detection.score > options_.detection_score)) continue;
    masks.push_back({detection.prompt, BitMask::FromLogits(detection.logits)});
    scores.push_back(detection.score);
    indices.push_back(static_cast<int>(i));
  }
  for (const int i : SelectDetections(masks, scores, options_)) {
    chosen_.push_back(indices[i]);
    scores_.push_back(scores[i]);
    detections_.push_back(std::move(masks[i]));
  }
}

std::vector<int> FramePlanner::Match() {
  if (!input_.detected) return {};
  const Matches matches =
      MatchDetections(detections_, scores_, tracks_, options_);
  const int room = input_.takes_new ? options_.max_objects -
                                          static_cast<int>(input_.tracks.size())
                                    : 0;
  std::vector<int> births = CapBirths(matches.births, scores_, room);
  plan_.births_beyond_cap =
      static_cast<int>(matches.births.size() - births.size());
  Count(matches);
  Recondition(matches);
  return births;
}

std::vector<int64_t> FramePlanner::Ids(absl::Span<const int> tracks) const {
  std::vector<int64_t> ids;
  ids.reserve(tracks.size());
  for (const int track : tracks) ids.push_back(input_.tracks[track].id);
  return ids;
}

void FramePlanner::Count(const Matches& matches) {
  FrameObservations seen;
  seen.frame = input_.frame;
  seen.unmatched = Ids(matches.unmatched_tracks);
  seen.empty = Ids(matches.empty_tracks);
  for (const std::vector<int>& tracks : matches.tracks_of) {
    if (!tracks.empty()) seen.matched_together.push_back(Ids(tracks));
  }
  table_.Count(seen);
  const std::vector<int64_t> found = table_.FalseInHotstart(input_.frame);
  for (size_t i = 0; i < removed_.size(); ++i) {
    removed_[i] =
        std::binary_search(found.begin(), found.end(), input_.tracks[i].id);
  }
}

void FramePlanner::Recondition(const Matches& matches) {
  if (options_.recondition_period_frames == 0 ||
      input_.frame % options_.recondition_period_frames != 0) {
    return;
  }
  for (size_t i = 0; i < tracks_.size(); ++i) {
    // A logit held against a probability's threshold, as in the reference.
    if (input_.tracks[i].object_score_logit > options_.recondition_score) {
      reconditioning_[i] = matches.confirming_detection[i];
    }
  }
}

void FramePlanner::SuppressOccluded() {
  if (options_.occlusion_overlap <= 0) return;
  std::vector<int64_t> last_occluded;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    // What is removed before it was ever propagated loses to everybody.
    const int64_t otherwise =
        removed_[i] ? std::numeric_limits<int64_t>::max() : kNeverOccluded;
    last_occluded.push_back(
        table_.at(input_.tracks[i].id).last_occluded_frame.value_or(otherwise));
  }
  suppressed_ =
      LoseToLongerVisible(tracks_, last_occluded, options_.occlusion_overlap);
  for (size_t i = 0; i < tracks_.size(); ++i) {
    table_.SetLastOccluded(input_.tracks[i].id,
                           Visible(i) ? last_occluded[i] : input_.frame);
  }
}

void FramePlanner::Advance() {
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const int64_t id = input_.tracks[i].id;
    if (!removed_[i]) {
      removed_[i] = table_.Advance(input_.frame, id, Visible(i), &plan_.events);
    }
    if (removed_[i]) {
      table_.Remove(id, &plan_.events);
      plan_.removals.push_back(id);
      continue;
    }
    if (suppressed_[i]) plan_.suppressed.push_back(id);
    if (reconditioning_[i] >= 0) {
      plan_.reconditioned.push_back({id, chosen_[reconditioning_[i]]});
    }
  }
}

void FramePlanner::PlanMemory() {
  std::vector<absl::Span<const float>> logits;
  std::vector<PromptedMask> competing = tracks_;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    logits.push_back(input_.tracks[i].logits);
    if (suppressed_[i]) competing[i].mask = BitMask();
  }
  const std::vector<bool> keeps =
      KeepTheirArea(competing, logits, options_.memory_area_share);
  for (size_t i = 0; i < tracks_.size(); ++i) {
    if (removed_[i]) continue;
    const MemoryMask mask = suppressed_[i] ? MemoryMask::kAbsent
                            : keeps[i]     ? MemoryMask::kWhole
                                           : MemoryMask::kClamped;
    plan_.memory.push_back(
        {input_.tracks[i].id, mask, mask == MemoryMask::kWhole && Visible(i)});
  }
}

void FramePlanner::OutputTracks() {
  const bool show_detection =
      options_.recondition_source == ReconditionSource::kTrackerMask;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    const int64_t id = input_.tracks[i].id;
    if (removed_[i] || table_.Hidden(id)) continue;
    ObjectOutput output;
    if (show_detection && reconditioning_[i] >= 0) {
      output.source = MaskSource::kDetection;
      output.detection = chosen_[reconditioning_[i]];
    } else if (!Visible(i)) {
      continue;
    }
    const Track& track = table_.at(id);
    output.id = id;
    output.prompt = track.prompt;
    output.phase = track.phase;
    output.score = track.birth_score;
    output.overlap_score =
        1 / (1 + std::exp(-input_.tracks[i].object_score_logit));
    plan_.outputs.push_back(output);
  }
}

void FramePlanner::AddObject(int detection) {
  const int prompt = detections_[detection].prompt;
  const float score = scores_[detection];
  const int64_t id = table_.Add(input_.frame, prompt, score, &plan_.events);
  plan_.births.push_back({id, chosen_[detection]});
  if (detections_[detection].mask.empty()) return;
  plan_.outputs.push_back({id, prompt, table_.at(id).phase, score, score,
                           MaskSource::kFilledDetection, chosen_[detection]});
}

}  // namespace

FramePlan PlanFrame(const FrameInput& input, TrackTable* table) {
  return FramePlanner(input, table).Plan();
}

}  // namespace sam3
