#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/still_request.h"

namespace sam3 {

// A still picture on which clicks and boxes point at objects.
class ObjectStill final : public StillRequest {
 public:
  using Done = std::function<void(absl::StatusOr<ObjectResponse>)>;

  ObjectStill(PipelineCore& core, ObjectRequest request,
              std::shared_ptr<RequestContext> context,
              std::unique_ptr<Admission::Ticket> ticket, Done done);

 private:
  absl::Status AddPrompts(EngineInput* input) override;
  absl::Status Encode(const EngineOutput& output) override;
  StillResponse& response() override { return response_; }
  void Respond(const absl::Status& status) override;

  // The logits that a prompt refines; null for none.
  absl::StatusOr<std::shared_ptr<const LowResMask>> FindLogits(
      size_t index, const ObjectPrompt& prompt) const;
  void KeepLogits(const EngineOutput& output);

  const std::vector<PointedObject> prompts_;
  const ObjectOptions options_;
  const Done done_;
  // As the engine took them; what logits are kept under.
  std::vector<EngineObject> objects_;
  ObjectResponse response_;
};

}  // namespace sam3
