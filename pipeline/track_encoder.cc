#include "pipeline/track_encoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/mask_at.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

// Takes pixels from masks that others have already, the surest first.
void ShareOut(const std::vector<TrackedInstance>& objects,
              std::vector<MaskRuns>* masks) {
  std::vector<size_t> order(objects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&objects](size_t a, size_t b) {
    return objects[a].overlap_score > objects[b].overlap_score;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      (*masks)[order[i]] =
          MaskDifference((*masks)[order[i]], (*masks)[order[j]]);
    }
  }
}

// `box` is that of the object's whole mask, `runs` what is left to it.
absl::StatusOr<Instance> InstanceOf(const TrackedInstance& object,
                                    const MaskRuns& runs, const Box& box,
                                    const ConceptOptions& options) {
  Instance instance;
  instance.object_id = object.object_id;
  instance.phase = object.phase;
  instance.score = object.score;
  if (options.fields.box) instance.box = box;
  if (options.fields.area) instance.area = MaskArea(runs);
  if (options.fields.mask && options.mask.format != MaskFormat::kNone) {
    SAM3_ASSIGN_OR_RETURN(instance.mask,
                          EncodeMaskAt(runs, object.mask, options.mask));
  }
  return instance;
}

}  // namespace

absl::StatusOr<std::vector<PromptResult>> EncodeTracks(
    absl::Span<const ConceptPrompt> prompts,
    absl::Span<const Detections> detections, const TrackedFrame& tracked,
    const ConceptOptions& options, int width, int height) {
  SAM3_CHECK(prompts.size() == tracked.objects.size());
  std::vector<PromptResult> results(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    results[i].prompt_index = static_cast<int>(i);
    results[i].prompt_id = prompts[i].prompt_id;
    results[i].text = prompts[i].text;
    if (!detections.empty()) {
      results[i].presence_score = detections[i].presence_score;
    }
    const std::vector<TrackedInstance>& objects = tracked.objects[i];
    std::vector<MaskRuns> masks;
    masks.reserve(objects.size());
    for (const TrackedInstance& object : objects) {
      masks.push_back(RunsFromLowRes(object.mask, width, height));
    }
    std::vector<Box> boxes;
    boxes.reserve(masks.size());
    for (const MaskRuns& mask : masks) boxes.push_back(MaskBox(mask));
    ShareOut(objects, &masks);
    for (size_t k = 0; k < objects.size(); ++k) {
      SAM3_ASSIGN_OR_RETURN(Instance instance, InstanceOf(objects[k], masks[k],
                                                          boxes[k], options));
      results[i].instances.push_back(std::move(instance));
    }
  }
  return results;
}

absl::StatusOr<std::vector<Instance>> EncodeGiven(
    absl::Span<const TrackedInstance> objects, const ConceptOptions& options,
    int width, int height) {
  std::vector<Instance> instances;
  for (const TrackedInstance& object : objects) {
    const MaskRuns runs = RunsFromLowRes(object.mask, width, height);
    SAM3_ASSIGN_OR_RETURN(Instance instance,
                          InstanceOf(object, runs, MaskBox(runs), options));
    instances.push_back(std::move(instance));
  }
  return instances;
}

}  // namespace sam3
