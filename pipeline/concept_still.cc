#include "pipeline/concept_still.h"

#include <utility>
#include <vector>

#include "inference/base/status_macros.h"
#include "pipeline/prompt_geometry.h"
#include "pipeline/result_encoder.h"

namespace sam3 {

ConceptStill::ConceptStill(PipelineCore& core, ConceptRequest request,
                           std::shared_ptr<RequestContext> context,
                           std::unique_ptr<Admission::Ticket> ticket, Done done)
    : StillRequest(core, std::move(request.image), std::move(context),
                   std::move(ticket)),
      prompts_(std::move(request.prompts)),
      options_(request.options),
      done_(std::move(done)) {}

absl::Status ConceptStill::AddPrompts(EngineInput* input) {
  SAM3_ASSIGN_OR_RETURN(
      input->prompts,
      ToEnginePrompts(prompts_, options_, response_.image.width,
                      response_.image.height, &response_.warnings));
  return absl::OkStatus();
}

absl::Status ConceptStill::Encode(const EngineOutput& output) {
  SAM3_ASSIGN_OR_RETURN(
      response_.results,
      EncodeResults(prompts_, output.detections, options_,
                    response_.image.width, response_.image.height));
  return absl::OkStatus();
}

void ConceptStill::Respond(const absl::Status& status) {
  if (!status.ok()) return done_(status);
  done_(std::move(response_));
}

}  // namespace sam3
