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

absl::Status Outside(const std::string& field, int width, int height) {
  return WithField(WithReason(absl::InvalidArgumentError(absl::StrCat(
                                  field, " lies outside the picture of ", width,
                                  " x ", height, " pixels")),
                              reason::kInvalidRequest),
                   field);
}

absl::StatusOr<Box> ToFractions(Box box, bool normalized, int width, int height,
                                const std::string& field,
                                std::vector<std::string>* warnings) {
  if (!normalized) {
    box.x0 /= static_cast<float>(width);
    box.x1 /= static_cast<float>(width);
    box.y0 /= static_cast<float>(height);
    box.y1 /= static_cast<float>(height);
  }
  const Box inside = {
      std::clamp(box.x0, 0.0f, 1.0f), std::clamp(box.y0, 0.0f, 1.0f),
      std::clamp(box.x1, 0.0f, 1.0f), std::clamp(box.y1, 0.0f, 1.0f)};
  if (!(inside.width() > 0) || !(inside.height() > 0)) {
    return Outside(field, width, height);
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
          ToFractions(prompt.exemplars[j].box, prompt.exemplars[j].normalized,
                      width, height,
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

absl::StatusOr<ObjectPrompt> ToObjectPrompt(
    absl::Span<const PointedAt> points,
    const std::optional<PointedObject::Frame>& box, int width, int height,
    const std::string& field, std::vector<std::string>* warnings) {
  ObjectPrompt out;
  for (size_t i = 0; i < points.size(); ++i) {
    const PointedAt& point = points[i];
    const Click click = {
        point.normalized ? point.x : point.x / static_cast<float>(width),
        point.normalized ? point.y : point.y / static_cast<float>(height),
        point.label};
    if (!(click.x >= 0 && click.x <= 1 && click.y >= 0 && click.y <= 1)) {
      return Outside(absl::StrCat(field, ".points[", i, "]"), width, height);
    }
    out.clicks.push_back(click);
  }
  if (box.has_value()) {
    SAM3_ASSIGN_OR_RETURN(out.box,
                          ToFractions(box->box, box->normalized, width, height,
                                      field + ".box", warnings));
  }
  return out;
}

absl::StatusOr<std::vector<ObjectPrompt>> ToObjectPrompts(
    absl::Span<const PointedObject> prompts, int width, int height,
    std::vector<std::string>* warnings) {
  std::vector<ObjectPrompt> result;
  for (size_t i = 0; i < prompts.size(); ++i) {
    SAM3_ASSIGN_OR_RETURN(
        ObjectPrompt prompt,
        ToObjectPrompt(prompts[i].points, prompts[i].box, width, height,
                       absl::StrCat("prompts[", i, "]"), warnings));
    result.push_back(std::move(prompt));
  }
  return result;
}

}  // namespace sam3
