#include "inference/association/concept_frame.h"

#include <algorithm>
#include <utility>

#include "inference/association/hole_filling.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// Logits of what is certainly not the object.
constexpr float kOutside = -10.0f;
// Logit from which on a detection's mask prompts the tracker.
constexpr float kPrompted = 0.5f;

std::vector<PropagatedObject> WithoutHoles(
    std::vector<PropagatedObject> objects, int width, int height,
    int max_area) {
  for (PropagatedObject& object : objects) {
    FillHoles(width, height, max_area, absl::MakeSpan(object.logits));
  }
  return objects;
}

std::vector<float> AsPrompt(std::vector<float> logits) {
  for (float& value : logits) value = value >= kPrompted ? 1.0f : 0.0f;
  return logits;
}

}  // namespace

ConceptFrame::ConceptFrame(int64_t frame, int width, int height,
                           const TrackItem& item,
                           std::vector<PropagatedObject> objects,
                           TrackTable* table)
    : width_(width),
      height_(height),
      fill_hole_area_(table->options().fill_hole_area),
      prompts_(item.prompts),
      objects_(
          WithoutHoles(std::move(objects), width, height, fill_hole_area_)) {
  FrameInput input;
  input.frame = frame;
  input.takes_new = item.takes_new;
  for (const TrackedPrompt& prompt : prompts_) {
    input.detected = prompt.found != nullptr;
    if (!input.detected) continue;
    std::vector<const Detection*> found;
    for (const Detection& detection : prompt.found->detections) {
      found.push_back(&detection);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Detection* a, const Detection* b) {
                       return a->query_index < b->query_index;
                     });
    for (const Detection* detection : found) {
      detections_.push_back(detection);
      input.detections.push_back(
          {prompt.prompt, detection->score, detection->mask.values});
    }
  }
  for (const PropagatedObject& object : objects_) {
    input.tracks.push_back({object.id, object.object_logit, object.logits});
  }
  plan_ = PlanFrame(input, table);
}

std::vector<float> ConceptFrame::MemoryLogits(const MemoryWrite& write) const {
  std::vector<float> logits = Object(write.id).logits;
  if (write.mask == MemoryMask::kAbsent) {
    std::fill(logits.begin(), logits.end(), kOutside);
  } else if (write.mask == MemoryMask::kClamped) {
    for (float& logit : logits) logit = std::min(logit, kOutside);
  }
  return logits;
}

std::vector<float> ConceptFrame::BirthMask(const ObjectDetection& birth) const {
  return AsPrompt(
      detections_[static_cast<size_t>(birth.detection)]->mask.values);
}

std::vector<float> ConceptFrame::SeedMask(int64_t id) const {
  return AsPrompt(Object(id).logits);
}

TrackedFrame ConceptFrame::Answer(std::vector<TrackEvent> events) const {
  TrackedFrame answer;
  answer.events = std::move(events);
  answer.events.insert(answer.events.end(), plan_.events.begin(),
                       plan_.events.end());
  answer.births_beyond_cap = plan_.births_beyond_cap;
  answer.objects.resize(prompts_.size());
  for (const ObjectOutput& output : plan_.outputs) {
    const auto prompt = std::find_if(prompts_.begin(), prompts_.end(),
                                     [&output](const TrackedPrompt& candidate) {
                                       return candidate.prompt == output.prompt;
                                     });
    SAM3_CHECK(prompt != prompts_.end());
    TrackedInstance instance{output.id,
                             output.phase,
                             output.score,
                             output.overlap_score,
                             {width_, height_, OutputLogits(output), 0.0f}};
    const std::vector<float>& logits = instance.mask.values;
    if (std::none_of(logits.begin(), logits.end(),
                     [](float logit) { return logit > 0; })) {
      continue;
    }
    answer.objects[static_cast<size_t>(prompt - prompts_.begin())].push_back(
        std::move(instance));
  }
  return answer;
}

const PropagatedObject& ConceptFrame::Object(int64_t id) const {
  const auto found =
      std::lower_bound(objects_.begin(), objects_.end(), id,
                       [](const PropagatedObject& object, int64_t wanted) {
                         return object.id < wanted;
                       });
  SAM3_CHECK(found != objects_.end() && found->id == id);
  return *found;
}

std::vector<float> ConceptFrame::OutputLogits(
    const ObjectOutput& output) const {
  if (output.source == MaskSource::kTrack) {
    // Objects that are suppressed on this frame are not among the outputs.
    return Object(output.id).logits;
  }
  std::vector<float> logits =
      detections_[static_cast<size_t>(output.detection)]->mask.values;
  if (output.source == MaskSource::kFilledDetection) {
    FillHoles(width_, height_, fill_hole_area_, absl::MakeSpan(logits));
  }
  return logits;
}

}  // namespace sam3
