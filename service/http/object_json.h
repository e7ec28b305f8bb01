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

// One request to /sam3/visual_segment, as ConceptCall.
struct ObjectCall {
  v1::SegmentObjectsRequest request;
  HttpCompat compat = HttpCompat::kFixed;
  MaskForm form = MaskForm::kPolygon;
  bool holes = false;
  // What is sent when a picture of that name is not cached, see HoldImage().
  v1::Image held;
  std::vector<std::string> warnings;
};

// As ReadConceptCall(). A prompt that points nowhere, and no prompts, which the
// public server answers with whatever its model makes of nothing, are read as a
// box around the whole picture.
absl::StatusOr<ObjectCall> ReadObjectCall(const JsonFields& body,
                                          HttpCompat compat);

// 200 with the masks both as `predictions`, one a prompt, as the public server
// answers, and as `prompt_results`, as its documentation has it; or as a NumPy
// archive for MaskForm::kBinary.
HttpResponse WriteObjectAnswer(const ObjectCall& call,
                               const v1::SegmentObjectsResponse& answer);

}  // namespace sam3
