#include "pipeline/object_still.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/prompt_geometry.h"
#include "pipeline/result_encoder.h"

namespace sam3 {

ObjectStill::ObjectStill(PipelineCore& core, ObjectRequest request,
                         std::shared_ptr<RequestContext> context,
                         std::unique_ptr<Admission::Ticket> ticket, Done done)
    : StillRequest(core, std::move(request.image), std::move(context),
                   std::move(ticket)),
      prompts_(std::move(request.prompts)),
      options_(request.options),
      done_(std::move(done)) {}

absl::Status ObjectStill::AddPrompts(EngineInput* input) {
  SAM3_ASSIGN_OR_RETURN(
      std::vector<ObjectPrompt> prompts,
      ToObjectPrompts(prompts_, response_.image.width, response_.image.height,
                      &response_.warnings));
  for (size_t i = 0; i < prompts.size(); ++i) {
    EngineObject object;
    SAM3_ASSIGN_OR_RETURN(object.earlier, FindLogits(i, prompts[i]));
    object.prompt = std::move(prompts[i]);
    object.multimask = options_.multimask;
    objects_.push_back(std::move(object));
  }
  input->objects = objects_;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const LowResMask>> ObjectStill::FindLogits(
    size_t index, const ObjectPrompt& prompt) const {
  const std::string& tenant = context().tenant();
  const std::string& digest = response_.image.digest;
  const std::string& handle = prompts_[index].logits_handle;
  if (handle.empty()) {
    return options_.load_logits
               ? core().logits.FindEarlier(tenant, digest, prompt)
               : nullptr;
  }
  auto found = core().logits.Find(tenant, digest, handle);
  if (found != nullptr) return found;
  return WithField(
      WithReason(absl::NotFoundError(
                     "no logits of that handle are kept (any more) for this "
                     "picture; ask again without it"),
                 reason::kLogitsNotCached),
      absl::StrCat("prompts[", index, "].logits_handle"));
}

absl::Status ObjectStill::Encode(const EngineOutput& output) {
  SAM3_ASSIGN_OR_RETURN(
      response_.results,
      EncodeObjects(output.objects, options_, response_.image.width,
                    response_.image.height));
  for (size_t i = 0; i < prompts_.size(); ++i) {
    response_.results[i].prompt_id = prompts_[i].prompt_id;
    response_.results[i].refined = objects_[i].earlier != nullptr;
  }
  if (options_.save_logits) KeepLogits(output);
  return absl::OkStatus();
}

void ObjectStill::KeepLogits(const EngineOutput& output) {
  for (size_t i = 0; i < response_.results.size(); ++i) {
    std::vector<ObjectMask>& masks = response_.results[i].masks;
    for (size_t k = 0; k < masks.size(); ++k) {
      masks[k].logits_handle = core().logits.Insert(
          context().tenant(), response_.image.digest, objects_[i].prompt,
          /*best=*/k == 0, output.objects[i].candidates[k].mask);
    }
  }
}

void ObjectStill::Respond(const absl::Status& status) {
  if (!status.ok()) return done_(status);
  done_(std::move(response_));
}

}  // namespace sam3
