#include "pipeline/result_encoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/mask_at.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

struct Candidate {
  size_t prompt = 0;
  const Detection* detection = nullptr;
  MaskRuns runs;  // full resolution; empty when masks are not needed
};

std::vector<Candidate> Collect(absl::Span<const Detections> detections,
                               bool with_masks, int width, int height) {
  std::vector<Candidate> candidates;
  for (size_t prompt = 0; prompt < detections.size(); ++prompt) {
    for (const Detection& detection : detections[prompt].detections) {
      Candidate candidate{prompt, &detection, {}};
      if (with_masks) {
        candidate.runs = RunsFromLowRes(detection.mask, width, height);
      }
      candidates.push_back(std::move(candidate));
    }
  }
  return candidates;
}

// Marks who survives; best score first, ties in request order.
std::vector<char> Survivors(const std::vector<Candidate>& candidates,
                            const ConceptOptions& options) {
  std::vector<char> survives(candidates.size(), 1);
  if (!options.nms_iou_threshold.has_value()) return survives;
  std::vector<int> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return candidates[a].detection->score > candidates[b].detection->score;
  });
  std::vector<MaskRuns> masks;
  masks.reserve(candidates.size());
  for (const Candidate& candidate : candidates) masks.push_back(candidate.runs);
  std::fill(survives.begin(), survives.end(), 0);
  for (const int kept :
       SuppressOverlaps(masks, order, *options.nms_iou_threshold)) {
    survives[kept] = 1;
  }
  return survives;
}

}  // namespace

bool NeedsMasks(const ConceptOptions& options) {
  return options.nms_iou_threshold.has_value() || options.fields.box ||
         options.fields.area ||
         (options.fields.mask && options.mask.format != MaskFormat::kNone);
}

absl::StatusOr<std::vector<PromptResult>> EncodeResults(
    absl::Span<const ConceptPrompt> prompts,
    absl::Span<const Detections> detections, const ConceptOptions& options,
    int width, int height) {
  SAM3_CHECK(prompts.size() == detections.size());
  std::vector<PromptResult> results(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    results[i].prompt_index = static_cast<int>(i);
    results[i].prompt_id = prompts[i].prompt_id;
    results[i].text = prompts[i].text;
    results[i].presence_score = detections[i].presence_score;
  }
  const bool with_masks = NeedsMasks(options);
  const std::vector<Candidate> candidates =
      Collect(detections, with_masks, width, height);
  const std::vector<char> survives = Survivors(candidates, options);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (survives[i] == 0) continue;
    const Candidate& candidate = candidates[i];
    std::vector<Instance>& instances = results[candidate.prompt].instances;
    if (options.max_instances_per_prompt > 0 &&
        instances.size() >=
            static_cast<size_t>(options.max_instances_per_prompt)) {
      continue;
    }
    const Detection& detection = *candidate.detection;
    Instance instance;
    instance.score = detection.score;
    instance.query_score = detection.query_score;
    instance.presence_score = detection.presence_score;
    const auto w = static_cast<float>(width);
    const auto h = static_cast<float>(height);
    instance.detector_box = {detection.box.x0 * w, detection.box.y0 * h,
                             detection.box.x1 * w, detection.box.y1 * h};
    if (with_masks) {
      if (options.fields.box) instance.box = MaskBox(candidate.runs);
      if (options.fields.area) instance.area = MaskArea(candidate.runs);
    }
    if (options.fields.mask && options.mask.format != MaskFormat::kNone) {
      SAM3_ASSIGN_OR_RETURN(
          instance.mask,
          EncodeMaskAt(candidate.runs, detection.mask, options.mask));
    }
    instances.push_back(std::move(instance));
  }
  return results;
}

absl::StatusOr<std::vector<ObjectResult>> EncodeObjects(
    absl::Span<const ObjectCandidates> objects, const ObjectOptions& options,
    int width, int height) {
  const bool with_mask =
      options.fields.mask && options.mask.format != MaskFormat::kNone;
  std::vector<ObjectResult> results(objects.size());
  for (size_t i = 0; i < objects.size(); ++i) {
    results[i].prompt_index = static_cast<int>(i);
    results[i].object_score = objects[i].object_score;
    for (const ObjectCandidate& candidate : objects[i].candidates) {
      ObjectMask mask;
      mask.predicted_iou = candidate.predicted_iou;
      mask.stability = candidate.stability;
      const MaskRuns runs = RunsFromLowRes(candidate.mask, width, height);
      mask.box = MaskBox(runs);
      mask.area = MaskArea(runs);
      if (with_mask) {
        SAM3_ASSIGN_OR_RETURN(mask.mask,
                              EncodeMaskAt(runs, candidate.mask, options.mask));
      }
      results[i].masks.push_back(std::move(mask));
      if (!options.return_all_candidates) break;
    }
  }
  return results;
}

}  // namespace sam3
