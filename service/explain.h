#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "pipeline/segmenter.h"
#include "sam3/v1/segmentation_service.pb.h"
#include "service/validate.h"

namespace sam3 {

// Says what a request would do, without running the model: every violation, the
// tokens of every prompt, example boxes after cutting, the picture's size,
// whether its embedding is cached, and what it would cost. Reads the picture's
// header only. Any thread; does not block.
absl::StatusOr<v1::ExplainResponse> ExplainRequestTo(
    const v1::SegmentConceptsRequest& request, const std::string& tenant,
    Segmenter& segmenter, const RequestValidator& validator);

// Tokens and words of one text. INVALID_ARGUMENT when it is not UTF-8.
absl::StatusOr<v1::ExplainResponse::Prompt> ExplainText(
    const std::string& text, const Tokenizer& tokenizer);

}  // namespace sam3
