#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sam3/v1/segmentation_service.pb.h"
#include "service/http/compat.h"
#include "service/http/json_reader.h"
#include "service/http/message.h"

namespace sam3 {

// One request to /sam3/embed_image.
struct EmbedCall {
  v1::EmbedImageRequest request;
  HttpCompat compat = HttpCompat::kFixed;
  // The picture's name as the client wrote it; empty when there is none.
  std::string image_id;
  // What is sent when a picture of that name is not cached, see HoldImage().
  v1::Image held;
  std::vector<std::string> warnings;
};

// As ReadConceptCall().
absl::StatusOr<EmbedCall> ReadEmbedCall(const JsonFields& body,
                                        HttpCompat compat);

// 200 with {"image_id", "time"}; the digest names a picture without a name.
HttpResponse WriteEmbedAnswer(const EmbedCall& call,
                              const v1::EmbedImageResponse& answer);

}  // namespace sam3
