#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sam3/v1/segmentation_service.pb.h"
#include "service/http/compat.h"
#include "service/http/json_reader.h"
#include "service/http/mask_json.h"
#include "service/http/message.h"

namespace sam3 {

// One request to /sam3/concept_segment: what is asked of the service, and what
// its answer needs of the question.
struct ConceptCall {
  v1::SegmentConceptsRequest request;
  HttpCompat compat = HttpCompat::kFixed;
  MaskForm form = MaskForm::kPolygon;
  bool holes = false;
  v1::Image held;  // never used, see HoldImage()
  // What is read otherwise than it was written.
  std::vector<std::string> warnings;
};

// Reads a body. What is wrong with its form is among the fields' problems
// afterwards; the status tells what else it is refused for: INVALID_ARGUMENT
// for its picture, UNIMPLEMENTED for a fine-tuned model. Pure; any thread.
absl::StatusOr<ConceptCall> ReadConceptCall(const JsonFields& body,
                                            HttpCompat compat);

// 200 with the answer in JSON, or as a NumPy archive for MaskForm::kBinary.
HttpResponse WriteConceptAnswer(const ConceptCall& call,
                                const v1::SegmentConceptsResponse& answer);

}  // namespace sam3
