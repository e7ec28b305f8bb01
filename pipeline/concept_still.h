#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "pipeline/still_request.h"

namespace sam3 {

// A still picture that is asked for concepts, or, without prompts, only
// embedded.
class ConceptStill final : public StillRequest {
 public:
  using Done = std::function<void(absl::StatusOr<ConceptResponse>)>;

  ConceptStill(PipelineCore& core, ConceptRequest request,
               std::shared_ptr<RequestContext> context,
               std::unique_ptr<Admission::Ticket> ticket, Done done);

 private:
  absl::Status AddPrompts(EngineInput* input) override;
  absl::Status Encode(const EngineOutput& output) override;
  StillResponse& response() override { return response_; }
  void Respond(const absl::Status& status) override;

  const std::vector<ConceptPrompt> prompts_;
  const ConceptOptions options_;
  const Done done_;
  ConceptResponse response_;
};

}  // namespace sam3
