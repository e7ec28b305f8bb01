#include "inference/association/track_table.h"

#include <algorithm>
#include <set>

#include "inference/base/status_macros.h"

namespace sam3 {

std::vector<int64_t> TrackTable::ids() const {
  std::vector<int64_t> ids;
  ids.reserve(tracks_.size());
  for (const auto& [id, track] : tracks_) ids.push_back(id);
  return ids;
}

const Track& TrackTable::at(int64_t id) const {
  const auto found = tracks_.find(id);
  SAM3_CHECK(found != tracks_.end());
  return found->second;
}

Track& TrackTable::Mutable(int64_t id) {
  const auto found = tracks_.find(id);
  SAM3_CHECK(found != tracks_.end());
  return found->second;
}

void TrackTable::Restore(int64_t id, int prompt, float score,
                         TrackPhase phase) {
  SAM3_CHECK(last_frame_ < 0 && !Contains(id));
  Track track;
  track.prompt = prompt;
  track.birth_score = score;
  track.keep_alive = options_.keep_alive_initial;
  track.phase = phase;
  if (phase != TrackPhase::kTentative) {
    track.birth_frame =
        -std::max(options_.hotstart_frames, options_.confirmation_delay_frames);
  }
  tracks_.emplace(id, std::move(track));
  StartIdsAt(id + 1);
}

void TrackTable::StartIdsAt(int64_t next) {
  next_id_ = std::max(next_id_, next);
}

int64_t TrackTable::Add(int64_t frame, int prompt, float score,
                        std::vector<TrackEvent>* events) {
  const int64_t id = next_id_++;
  Track track;
  track.prompt = prompt;
  track.birth_frame = frame;
  track.birth_score = score;
  track.keep_alive = options_.keep_alive_initial;
  track.phase = options_.confirmation_delay_frames == 0
                    ? TrackPhase::kConfirmed
                    : TrackPhase::kTentative;
  events->push_back({id, prompt, track.phase});
  tracks_.emplace(id, std::move(track));
  return id;
}

bool TrackTable::InHotstart(const Track& track, int64_t frame) const {
  return frame - track.birth_frame < options_.hotstart_frames;
}

void TrackTable::Count(const FrameObservations& seen) {
  SAM3_CHECK(seen.frame > last_frame_);
  last_frame_ = seen.frame;
  std::set<int64_t> matched;
  for (const auto& together : seen.matched_together) {
    matched.insert(together.begin(), together.end());
  }
  // A track that a detection overlaps, but not enough, counts up and then down.
  for (const int64_t id : matched) {
    Track& track = Mutable(id);
    track.keep_alive = std::min(options_.keep_alive_max, track.keep_alive + 1);
  }
  const auto count_down = [this](Track* track) {
    track->keep_alive =
        std::max(options_.keep_alive_min, track->keep_alive - 1);
  };
  for (const int64_t id : seen.unmatched) {
    Track& track = Mutable(id);
    ++track.unmatched_frames;
    count_down(&track);
  }
  if (options_.keep_alive_counts_empty) {
    for (const int64_t id : seen.empty) count_down(&Mutable(id));
  }
  for (auto& [id, track] : tracks_) {
    if (!InHotstart(track, seen.frame)) track.duplicate_frames.clear();
  }
  for (const auto& together : seen.matched_together) {
    CountDuplicates(together, seen.frame);
  }
}

void TrackTable::CountDuplicates(absl::Span<const int64_t> matched,
                                 int64_t frame) {
  if (matched.size() < 2) return;
  const int64_t elder = *std::min_element(
      matched.begin(), matched.end(), [this](int64_t a, int64_t b) {
        return at(a).birth_frame < at(b).birth_frame;
      });
  for (const int64_t id : matched) {
    Track& track = Mutable(id);
    if (id == elder || !InHotstart(track, frame)) continue;
    ++track.duplicate_frames[elder];
  }
}

std::vector<int64_t> TrackTable::FalseInHotstart(int64_t frame) const {
  std::vector<int64_t> found;
  if (!options_.remove_in_hotstart) return found;
  for (const auto& [id, track] : tracks_) {
    if (!InHotstart(track, frame)) continue;
    const bool duplicate =
        std::any_of(track.duplicate_frames.begin(),
                    track.duplicate_frames.end(), [this](const auto& pair) {
                      return pair.second >= options_.hotstart_duplicate_frames;
                    });
    if (duplicate ||
        track.unmatched_frames >= options_.hotstart_unmatched_frames) {
      found.push_back(id);
    }
  }
  return found;
}

bool TrackTable::Hidden(int64_t id) const {
  const Track& track = at(id);
  return options_.remove_in_hotstart && options_.hide_at_keep_alive_end &&
         track.unmatched_frames > 0 && track.keep_alive <= 0;
}

void TrackTable::SetLastOccluded(int64_t id, int64_t frame) {
  Mutable(id).last_occluded_frame = frame;
}

bool TrackTable::Advance(int64_t frame, int64_t id, bool visible,
                         std::vector<TrackEvent>* events) {
  Track& track = Mutable(id);
  const auto move_to = [&](TrackPhase phase, TrackPhase event) {
    track.phase = phase;
    events->push_back({id, track.prompt, event});
  };
  const bool lost = !visible || track.keep_alive <= 0;
  track.lost_frames = lost ? track.lost_frames + 1 : 0;
  if (track.phase == TrackPhase::kTentative &&
      frame - track.birth_frame >= options_.confirmation_delay_frames) {
    move_to(TrackPhase::kConfirmed, TrackPhase::kConfirmed);
  }
  if (track.phase == TrackPhase::kConfirmed && lost) {
    move_to(TrackPhase::kLost, TrackPhase::kLost);
  } else if (track.phase == TrackPhase::kLost && !lost) {
    move_to(TrackPhase::kConfirmed, TrackPhase::kRecovered);
  }
  return options_.end_after_lost_frames > 0 &&
         track.lost_frames >= options_.end_after_lost_frames;
}

void TrackTable::Remove(int64_t id, std::vector<TrackEvent>* events) {
  const Track& track = at(id);
  events->push_back({id, track.prompt,
                     track.phase == TrackPhase::kTentative
                         ? TrackPhase::kRetracted
                         : TrackPhase::kEnded});
  tracks_.erase(id);
  for (auto& [other, kept] : tracks_) kept.duplicate_frames.erase(id);
}

std::vector<TrackEvent> TrackTable::RemovePrompt(int prompt) {
  std::vector<TrackEvent> events;
  for (const int64_t id : ids()) {
    if (at(id).prompt == prompt) Remove(id, &events);
  }
  return events;
}

}  // namespace sam3
