#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/engine.h"
#include "inference/tokenizer.h"
#include "pipeline/media/media_root.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"
#include "sam3/v1/segmentation_service.pb.h"
#include "service/concept_aliases.h"
#include "service/grpc_status.h"
#include "service/limits.h"

namespace sam3 {

// Checks requests as a whole and turns them into what the pipeline takes: every
// violation is found and told at once, with the path of its field. Pure; any
// thread; blocks for no longer than it takes to read masks, if there are any.
class RequestValidator {
 public:
  // `tokenizer` and `model` must outlive the validator. `media_root` is the
  // folder that file sources must lie in; empty refuses them. `aliases` may be
  // null.
  RequestValidator(const ServiceLimits& limits, const Tokenizer& tokenizer,
                   const EngineInfo& model, std::string media_root,
                   const ConceptAliases* aliases = nullptr);

  // INVALID_ARGUMENT with all violations; UNIMPLEMENTED for sources and tasks
  // that this server does not offer; NOT_FOUND for a model that it does not
  // serve. The picture's bytes are copied.
  // `warnings`, which may be null, gets a line for each text that is read
  // otherwise than it was written, or hardly understood.
  absl::StatusOr<ConceptRequest> ValidateConcepts(
      const v1::SegmentConceptsRequest& request,
      std::vector<std::string>* warnings = nullptr) const;
  absl::StatusOr<ObjectRequest> ValidateObjects(
      const v1::SegmentObjectsRequest& request) const;
  absl::StatusOr<ImageSource> ValidateEmbed(
      const v1::EmbedImageRequest& request) const;
  absl::StatusOr<StreamConfig> ValidateStream(
      const v1::StreamConfig& config) const;
  // A change of a running stream's prompts or objects. One that is wrong is
  // among the rejected, with all its violations, and never an error of the
  // whole.
  PromptUpdate ValidateUpdate(const v1::PromptUpdate& update) const;

  // What ValidateConcepts would find, for Explain.
  std::vector<FieldViolation> Violations(
      const v1::SegmentConceptsRequest& request,
      std::vector<std::string>* warnings) const;

  // May be null.
  const ConceptAliases* aliases() const { return aliases_; }

  const ServiceLimits& limits() const { return limits_; }

 private:
  class Checker;

  absl::Status CheckModel(const std::string& model_id,
                          absl::string_view field) const;
  absl::Status CheckOffered(const v1::StreamConfig& config) const;

  const ServiceLimits limits_;
  const Tokenizer& tokenizer_;
  const EngineInfo& model_;
  const MediaRoot media_root_;
  const ConceptAliases* const aliases_;
};

}  // namespace sam3
