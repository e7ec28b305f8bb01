#include "pipeline/followed_objects.h"

#include <algorithm>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/mask_codec.h"

namespace sam3 {

ObjectSightings ReadSightings(absl::Span<const ConceptPrompt> prompts,
                              const TrackedFrame& tracked) {
  SAM3_CHECK(prompts.size() == tracked.objects.size());
  ObjectSightings sightings;
  sightings.events = tracked.events;
  for (size_t i = 0; i < prompts.size(); ++i) {
    for (const TrackedInstance& object : tracked.objects[i]) {
      const MaskRuns runs =
          RunsFromLowRes(object.mask, object.mask.width, object.mask.height);
      sightings.seen.push_back({object.object_id, prompts[i].stream_number,
                                object.score, object.phase, MaskBox(runs),
                                CocoCountsFromRuns(runs.counts)});
    }
  }
  return sightings;
}

FollowedObjects::FollowedObjects(const ResumeState& state)
    : next_id_(state.next_object_id) {
  for (const ResumeObject& object : state.objects) {
    objects_.emplace(object.id, object);
  }
}

void FollowedObjects::Begin(int64_t frame) { begun_.push_back(frame); }

void FollowedObjects::End(int64_t frame, ObjectSightings sightings) {
  ended_.emplace(frame, std::move(sightings));
  while (!begun_.empty()) {
    const auto next = ended_.find(begun_.front());
    if (next == ended_.end()) return;
    Apply(std::move(next->second));
    ended_.erase(next);
    begun_.pop_front();
  }
}

void FollowedObjects::Apply(ObjectSightings sightings) {
  for (ResumeObject& object : sightings.seen) {
    next_id_ = std::max(next_id_, object.id + 1);
    objects_[object.id] = std::move(object);
  }
  for (const TrackEvent& event : sightings.events) {
    next_id_ = std::max(next_id_, event.id + 1);
    const auto object = objects_.find(event.id);
    if (object == objects_.end()) continue;
    switch (event.phase) {
      case TrackPhase::kRetracted:
      case TrackPhase::kEnded:
        objects_.erase(object);
        break;
      case TrackPhase::kRecovered:
        object->second.phase = TrackPhase::kConfirmed;
        break;
      default:
        object->second.phase = event.phase;
    }
  }
}

void FollowedObjects::Describe(absl::Span<const ConceptPrompt> prompts,
                               ResumeState* state) const {
  state->prompts.assign(prompts.begin(), prompts.end());
  state->next_object_id = next_id_;
  for (const auto& [id, object] : objects_) {
    const auto prompt =
        std::find_if(prompts.begin(), prompts.end(),
                     [number = object.prompt](const ConceptPrompt& candidate) {
                       return candidate.stream_number == number;
                     });
    if (prompt == prompts.end()) continue;
    state->objects.push_back(object);
    state->objects.back().prompt = static_cast<int>(prompt - prompts.begin());
  }
}

}  // namespace sam3
