#include "inference/fake_tracks.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "inference/association/concept_frame.h"
#include "inference/association/seed_propagation.h"

namespace sam3 {
namespace {

constexpr float kSeen = 8.0f;

}  // namespace

FakeTracks::FakeTracks(const AssociationOptions& options, TrackSeeds start)
    : table_(options), seeds_(std::move(start.objects)) {
  for (const TrackSeed& seed : seeds_) {
    table_.Restore(seed.id, seed.prompt, seed.score, seed.phase);
  }
  table_.StartIdsAt(start.next_id);
}

TrackedFrame FakeTracks::Follow(const TrackItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  std::vector<TrackEvent> dropped = DropOtherPrompts(item);
  const ConceptFrame frame(frames_++, kFakeGrid, kFakeGrid, item,
                           Propagate(image, item), &table_);
  for (const ObjectDetection& birth : frame.plan().births) {
    const auto area = image.Under(frame.BirthMask(birth));
    if (area.has_value()) objects_[birth.id] = *area;
  }
  std::vector<TrackSeed> waiting;
  for (TrackSeed& seed : seeds_) {
    if (!table_.Contains(seed.id)) continue;
    const auto area = image.Under(frame.SeedMask(seed.id));
    if (area.has_value()) {
      objects_[seed.id] = *area;
    } else {
      waiting.push_back(std::move(seed));
    }
  }
  seeds_ = std::move(waiting);
  for (const int64_t id : frame.plan().removals) objects_.erase(id);
  return frame.Answer(std::move(dropped));
}

std::vector<TrackEvent> FakeTracks::DropOtherPrompts(const TrackItem& item) {
  std::vector<TrackEvent> dropped;
  for (const int64_t id : table_.ids()) {
    if (!table_.Contains(id)) continue;
    const int prompt = table_.at(id).prompt;
    if (std::none_of(item.prompts.begin(), item.prompts.end(),
                     [prompt](const TrackedPrompt& candidate) {
                       return candidate.prompt == prompt;
                     })) {
      const std::vector<TrackEvent> ended = table_.RemovePrompt(prompt);
      dropped.insert(dropped.end(), ended.begin(), ended.end());
    }
  }
  for (const TrackEvent& event : dropped) objects_.erase(event.id);
  return dropped;
}

std::vector<PropagatedObject> FakeTracks::Propagate(const FakeImage& image,
                                                    const TrackItem& item) {
  std::vector<PropagatedObject> propagated =
      PropagateSeeds(seeds_, table_, item.prompts);
  for (PropagatedObject& object : propagated) {
    if (image.Under(object.logits).has_value()) continue;
    object.object_logit = -kSeen;
    object.logits = MaskOfFakeAreas({}).values;
  }
  for (auto& [id, seen] : objects_) {
    const std::vector<FakeArea> areas = image.NearestTo(seen);
    if (!areas.empty()) seen.area = areas.front();
    propagated.push_back(
        {id, areas.empty() ? -kSeen : kSeen, MaskOfFakeAreas(areas).values});
  }
  std::sort(propagated.begin(), propagated.end(),
            [](const PropagatedObject& a, const PropagatedObject& b) {
              return a.id < b.id;
            });
  return propagated;
}

}  // namespace sam3
