#include "inference/fake_tracks.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "inference/association/concept_frame.h"

namespace sam3 {
namespace {

// The area of the colour whose centre is nearest, if it is near.
std::vector<FakeArea> Nearest(const FakeImage& image, const FakeSeen& seen) {
  constexpr int kFar = kFakeGrid / 4;
  std::vector<FakeArea> found;
  if (seen.colour == kNoFakeColour) return found;
  int best = kFar;
  for (const FakeArea& area : image.AreasOf(seen.colour)) {
    const int distance =
        (std::abs(area.x0 + area.x1 - seen.area.x0 - seen.area.x1) +
         std::abs(area.y0 + area.y1 - seen.area.y0 - seen.area.y1)) /
        2;
    if (distance >= best) continue;
    best = distance;
    found = {area};
  }
  return found;
}

// The middle of the box around a mask, as a click.
ObjectPrompt MiddleOf(const GivenMask& mask) {
  int64_t pixel = 0;
  int64_t top = mask.height;
  int64_t bottom = 0;
  int64_t left = mask.width;
  int64_t right = 0;
  for (size_t i = 0; i < mask.counts.size(); ++i) {
    for (uint32_t n = 0; n < mask.counts[i]; ++n, ++pixel) {
      if (i % 2 == 0) continue;
      left = std::min(left, pixel / mask.height);
      right = std::max(right, pixel / mask.height + 1);
      top = std::min(top, pixel % mask.height);
      bottom = std::max(bottom, pixel % mask.height + 1);
    }
  }
  if (right == 0) return {};
  return {
      {{static_cast<float>(left + right) / 2 / static_cast<float>(mask.width),
        static_cast<float>(top + bottom) / 2 /
            static_cast<float>(mask.height)}},
      {}};
}

FakeObject ObjectOf(const FakeImage& image,
                    const ObjectDescription& described) {
  return image.ObjectAt(described.mask == nullptr ? described.prompt
                                                  : MiddleOf(*described.mask));
}

TrackedInstance InstanceOf(int64_t id, const std::vector<FakeArea>& areas) {
  const float score = areas.empty() ? 0.01f : 0.99f;
  return {id, areas.empty() ? TrackPhase::kLost : TrackPhase::kConfirmed, score,
          score, MaskOfAreas(areas)};
}

}  // namespace

TrackedFrame FakeTracks::Follow(const TrackItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  std::vector<TrackEvent> dropped;
  for (const int64_t id : table_.ids()) {
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
  std::vector<PropagatedObject> propagated;
  for (auto& [id, seen] : objects_) {
    const std::vector<FakeArea> areas = Nearest(image, seen);
    if (!areas.empty()) seen.area = areas.front();
    propagated.push_back(
        {id, areas.empty() ? -8.0f : 8.0f, MaskOfAreas(areas).values});
  }
  const ConceptFrame frame(frames_++, kFakeGrid, kFakeGrid, item.prompts,
                           std::move(propagated), &table_);
  for (const int64_t id : frame.plan().removals) objects_.erase(id);
  for (const ObjectDetection& birth : frame.plan().births) {
    const std::vector<float> mask = frame.BirthMask(birth);
    const auto cell = static_cast<int>(
        std::find(mask.begin(), mask.end(), 1.0f) - mask.begin());
    const int x = cell % kFakeGrid;
    const int y = cell / kFakeGrid;
    const int colour =
        image.ColourAt((static_cast<float>(x) + 0.5f) / kFakeGrid,
                       (static_cast<float>(y) + 0.5f) / kFakeGrid);
    for (const FakeArea& area : image.AreasOf(colour)) {
      if (x == area.x0 && y == area.y0) {
        objects_[birth.id] = {colour, area};
      }
    }
  }
  return frame.Answer(std::move(dropped));
}

TrackedFrame FakeGivenTracks::Follow(const FollowItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  TrackedFrame frame;
  frame.objects.emplace_back();
  for (const int64_t id : item.drop) {
    objects_.erase(id);
    frame.events.push_back({id, 0, TrackPhase::kEnded});
  }
  std::map<int64_t, FakeObject> found;
  for (const auto& [id, object] : objects_) {
    found[id] = {object.seen.colour, Nearest(image, object.seen)};
  }
  for (const ObjectDescription& described : item.describe) {
    found[described.id] = ObjectOf(image, described);
    if (objects_.try_emplace(described.id).second) {
      frame.events.push_back({described.id, 0, TrackPhase::kConfirmed});
    }
  }
  for (const auto& [id, seen] : found) {
    Followed& object = objects_.at(id);
    object.seen.colour = seen.colour;
    if (!seen.areas.empty()) object.seen.area = seen.areas.front();
    const bool visible = !seen.areas.empty();
    if (visible != object.visible) {
      frame.events.push_back(
          {id, 0, visible ? TrackPhase::kRecovered : TrackPhase::kLost});
    }
    object.visible = visible;
    frame.objects.front().push_back(InstanceOf(id, seen.areas));
  }
  std::stable_sort(
      frame.events.begin(), frame.events.end(),
      [](const TrackEvent& a, const TrackEvent& b) { return a.id < b.id; });
  newest_ = item.image;
  return frame;
}

TrackedFrame FakeGivenTracks::Answer(const FollowItem& item) {
  const auto& image = static_cast<const FakeImage&>(*newest_);
  TrackedFrame frame;
  frame.objects.emplace_back();
  for (const ObjectQuestion& question : item.questions) {
    const FakeObject object = ObjectOf(image, question.described);
    frame.objects.front().push_back(
        InstanceOf(question.described.id, object.areas));
    if (!question.commit || object.areas.empty()) continue;
    objects_.at(question.described.id).seen = {object.colour,
                                               object.areas.front()};
  }
  return frame;
}

}  // namespace sam3
