#include "inference/fake_given_tracks.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace sam3 {
namespace {

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

std::optional<ColouredFakeArea> ObjectOf(const FakeImage& image,
                                         const ObjectDescription& described) {
  return image.ObjectAt(described.mask == nullptr ? described.prompt
                                                  : MiddleOf(*described.mask));
}

std::vector<FakeArea> AreasOf(const std::optional<ColouredFakeArea>& object) {
  if (!object.has_value()) return {};
  return {object->area};
}

TrackedInstance InstanceOf(int64_t id, const std::vector<FakeArea>& areas) {
  const float score = areas.empty() ? 0.01f : 0.99f;
  return {id, areas.empty() ? TrackPhase::kLost : TrackPhase::kConfirmed, score,
          score, MaskOfFakeAreas(areas)};
}

}  // namespace

TrackedFrame FakeGivenTracks::Follow(const FollowItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  TrackedFrame frame;
  frame.objects.emplace_back();
  for (const int64_t id : item.drop) {
    objects_.erase(id);
    frame.events.push_back({id, 0, TrackPhase::kEnded});
  }
  // One area each, or none.
  std::map<int64_t, std::vector<FakeArea>> found;
  for (const auto& [id, object] : objects_) {
    found[id] = image.NearestTo(object.seen);
  }
  for (const ObjectDescription& described : item.describe) {
    const auto area = ObjectOf(image, described);
    found[described.id] = AreasOf(area);
    if (objects_.try_emplace(described.id).second) {
      frame.events.push_back({described.id, 0, TrackPhase::kConfirmed});
    }
    objects_.at(described.id).seen = area.value_or(ColouredFakeArea{});
  }
  for (const auto& [id, areas] : found) {
    Followed& object = objects_.at(id);
    const bool visible = !areas.empty();
    if (visible) object.seen.area = areas.front();
    if (visible != object.visible) {
      frame.events.push_back(
          {id, 0, visible ? TrackPhase::kRecovered : TrackPhase::kLost});
    }
    object.visible = visible;
    frame.objects.front().push_back(InstanceOf(id, areas));
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
    const auto area = ObjectOf(image, question.described);
    frame.objects.front().push_back(
        InstanceOf(question.described.id, AreasOf(area)));
    if (question.commit && area.has_value()) {
      objects_.at(question.described.id).seen = *area;
    }
  }
  return frame;
}

}  // namespace sam3
