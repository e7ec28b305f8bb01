#include "service/http/embed_json.h"

#include <utility>

#include "inference/base/status_macros.h"
#include "service/http/answer_json.h"
#include "service/http/common_fields.h"
#include "service/http/image_json.h"

namespace sam3 {

absl::StatusOr<EmbedCall> ReadEmbedCall(const JsonFields& body,
                                        HttpCompat compat) {
  EmbedCall call;
  call.compat = compat;
  v1::Image* image = call.request.mutable_image();
  absl::Status picture;
  if (const auto fields = body.Object("image")) {
    picture = ReadImage(*fields, image);
  }
  call.image_id = std::string(body.Text("image_id").value_or(""));
  image->set_image_id(V1ImageId(call.image_id));
  if (compat == HttpCompat::kExact) HoldImage(image, &call.held);
  SAM3_ASSIGN_OR_RETURN(*call.request.mutable_model_id(), ReadModelId(body));
  call.request.set_request_id(ReadRequestId(body));
  SAM3_RETURN_IF_ERROR(picture);
  return call;
}

HttpResponse WriteEmbedAnswer(const EmbedCall& call,
                              const v1::EmbedImageResponse& answer) {
  JsonWriter out;
  out.BeginObject()
      .Key("image_id")
      .Text(call.image_id.empty() ? answer.image_info().digest()
                                  : call.image_id);
  WriteAnswerFields(answer, call.compat, call.warnings, &out);
  out.EndObject();
  return {200, "application/json", {}, out.Take()};
}

}  // namespace sam3
