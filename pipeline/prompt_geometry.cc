#include "pipeline/prompt_geometry.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/result_encoder.h"

namespace sam3 {
namespace {

absl::StatusOr<Box> ToFractions(const ExemplarBox& exemplar, int width,
                                int height, const std::string& field,
                                std::vector<std::string>* warnings) {
  Box box = exemplar.box;
  if (!exemplar.normalized) {
    box.x0 /= static_cast<float>(width);
    box.x1 /= static_cast<float>(width);
    box.y0 /= static_cast<float>(height);
    box.y1 /= static_cast<float>(height);
  }
  const Box inside = {
      std::clamp(box.x0, 0.0f, 1.0f), std::clamp(box.y0, 0.0f, 1.0f),
      std::clamp(box.x1, 0.0f, 1.0f), std::clamp(box.y1, 0.0f, 1.0f)};
  if (!(inside.width() > 0) || !(inside.height() > 0)) {
    return WithField(WithReason(absl::InvalidArgumentError(absl::StrCat(
                                    field, " lies outside the picture of ",
                                    width, " x ", height, " pixels")),
                                reason::kInvalidRequest),
                     field);
  }
  const bool cut = inside.x0 != box.x0 || inside.y0 != box.y0 ||
                   inside.x1 != box.x1 || inside.y1 != box.y1;
  if (cut && warnings != nullptr) {
    warnings->push_back(
        absl::StrCat(field, " reached beyond the picture and was cut"));
  }
  return inside;
}

}  // namespace

absl::StatusOr<std::vector<EnginePrompt>> ToEnginePrompts(
    absl::Span<const ConceptPrompt> prompts, const ConceptOptions& options,
    int width, int height, std::vector<std::string>* warnings) {
  std::vector<EnginePrompt> result;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const ConceptPrompt& prompt = prompts[i];
    EnginePrompt out;
    out.text = prompt.tokens;
    for (size_t j = 0; j < prompt.exemplars.size(); ++j) {
      SAM3_ASSIGN_OR_RETURN(
          const Box box,
          ToFractions(prompt.exemplars[j], width, height,
                      absl::StrCat("prompts[", i, "].exemplars[", j, "].box"),
                      warnings));
      out.exemplars.push_back({box, prompt.exemplars[j].label});
    }
    out.options.score_threshold =
        prompt.score_threshold.value_or(options.score_threshold);
    // Suppression may remove better ones, so the limit comes after it.
    out.options.max_detections = options.nms_iou_threshold.has_value()
                                     ? 0
                                     : options.max_instances_per_prompt;
    out.options.want_masks = NeedsMasks(options);
    result.push_back(std::move(out));
  }
  return result;
}

}  // namespace sam3
