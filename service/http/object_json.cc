#include "service/http/object_json.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "service/http/answer_json.h"
#include "service/http/common_fields.h"
#include "service/http/image_json.h"
#include "service/http/mask_archive.h"

namespace sam3 {
namespace {

using simdjson::dom::element;

class ObjectReader {
 public:
  ObjectReader(const JsonFields& body, HttpCompat compat)
      : body_(body), exact_(compat == HttpCompat::kExact) {
    call_.compat = compat;
  }

  absl::StatusOr<ObjectCall> Read() {
    const absl::Status picture = Picture();
    AllPrompts();
    Format();
    v1::SegmentObjectsRequest& request = call_.request;
    request.set_multimask_output(body_.Flag("multimask_output").value_or(true));
    request.set_save_logits(body_.Flag("save_logits_to_cache").value_or(false));
    request.set_load_logits(
        body_.Flag("load_logits_from_cache").value_or(false));
    request.set_return_all_candidates(
        !exact_ && body_.Flag("return_all_candidates").value_or(false));
    // `sam2_version_id` and `model_id` change nothing on the public server.
    request.set_request_id(ReadRequestId(body_));
    SAM3_RETURN_IF_ERROR(picture);
    return std::move(call_);
  }

 private:
  absl::Status Picture() {
    v1::Image* image = call_.request.mutable_image();
    const auto id = body_.Text("image_id");
    if (id.has_value()) image->set_image_id(V1ImageId(*id));
    const auto found = id.has_value() && !exact_ ? body_.Find("image")
                                                 : body_.Require("image");
    if (!found.has_value()) return absl::OkStatus();
    const auto fields = body_.ObjectAt(*found, body_.PathOf("image"));
    if (!fields.has_value()) return absl::OkStatus();
    absl::Status read = ReadImage(*fields, image);
    if (exact_) HoldImage(image, &call_.held);
    return read;
  }

  // A set {"prompts": [...]}, a list, one prompt, or nothing.
  void AllPrompts() {
    std::string path = body_.PathOf("prompts");
    std::optional<element> prompts = body_.Find("prompts");
    if (prompts.has_value() && prompts->is_object()) {
      const JsonFields set = *body_.ObjectAt(*prompts, path);
      const std::optional<element> inner = set.Find("prompts");
      if (!inner.has_value() && (set.Find("points") || set.Find("box"))) {
        return OnePrompt(set);
      }
      path = set.PathOf("prompts");
      prompts = inner;
    }
    simdjson::dom::array list;
    if (prompts.has_value() &&
        prompts->get_array().get(list) != simdjson::SUCCESS) {
      return body_.Problem(path, "list_type", "Input should be a valid list");
    }
    if (!prompts.has_value() || list.size() == 0) {
      return WholePicture(path, call_.request.add_prompts());
    }
    int index = 0;
    for (const element prompt : list) {
      const auto fields =
          body_.ObjectAt(prompt, absl::StrCat(path, "[", index++, "]"));
      if (fields.has_value()) OnePrompt(*fields);
    }
  }

  void OnePrompt(const JsonFields& prompt) {
    v1::ObjectPrompt* out = call_.request.add_prompts();
    if (const auto points = prompt.List("points")) {
      for (size_t i = 0; i < points->size(); ++i) {
        const auto point = prompt.ObjectAt(
            (*points)[i], absl::StrCat(prompt.PathOf("points"), "[", i, "]"));
        if (point.has_value()) Point(*point, out->add_points());
      }
    }
    if (const auto box = prompt.Object("box")) {
      auto* centred = out->mutable_box()->mutable_cxcywh();
      centred->set_cx(Coordinate(*box, "x"));
      centred->set_cy(Coordinate(*box, "y"));
      centred->set_width(Coordinate(*box, "width"));
      centred->set_height(Coordinate(*box, "height"));
    }
    if (!exact_) {
      out->set_logits_handle(
          std::string(prompt.Text("logits_handle").value_or("")));
    }
    if (out->points().empty() && !out->has_box() &&
        out->logits_handle().empty()) {
      WholePicture(prompt.PathOf("points"), out);
    }
  }

  void Point(const JsonFields& point, v1::Point* out) const {
    out->set_x(Coordinate(point, "x"));
    out->set_y(Coordinate(point, "y"));
    if (exact_) point.Require("positive");
    out->set_label(point.Flag("positive").value_or(true)
                       ? v1::Point::LABEL_POSITIVE
                       : v1::Point::LABEL_NEGATIVE);
  }

  static float Coordinate(const JsonFields& place, absl::string_view name) {
    return static_cast<float>(place.RequireNumber(name).value_or(0));
  }

  void WholePicture(const std::string& path, v1::ObjectPrompt* out) {
    auto* all = out->mutable_box()->mutable_xyxy();
    all->set_x1(1);
    all->set_y1(1);
    out->mutable_box()->set_normalized(true);
    call_.warnings.push_back(absl::StrCat(
        path, ": nothing was pointed at, so the whole picture was"));
  }

  void Format() {
    const absl::string_view word = body_.Text("format").value_or("json");
    const std::optional<MaskForm> form = MaskFormNamed(word);
    if (!form.has_value()) {
      body_.Problem(body_.PathOf("format"), "value_error",
                    "must be json, polygon, rle, binary or none");
    }
    call_.form = form.value_or(MaskForm::kNone);
    call_.holes = !exact_ && body_.Flag("polygon_holes").value_or(false);
    *call_.request.mutable_mask_options() =
        MaskOptionsFor(call_.form, call_.holes);
  }

  const JsonFields& body_;
  const bool exact_;
  ObjectCall call_;
};

void WriteObjectMask(const ObjectCall& call, const v1::ObjectMask& mask,
                     JsonWriter* out) {
  WriteMaskFields(mask.mask(), call.form, call.holes, call.compat, out);
  out->Key("confidence").Number(mask.predicted_iou());
  if (call.compat == HttpCompat::kExact) return;
  out->Key("predicted_iou").Number(mask.predicted_iou());
  out->Key("stability").Number(mask.stability());
  out->Key("box");
  WriteBox(mask.box(), out);
  out->Key("area").Integer(mask.area_px());
  if (!mask.logits_handle().empty()) {
    out->Key("logits_handle").Text(mask.logits_handle());
  }
}

// The one prediction of a prompt: its best mask.
std::string ObjectPrediction(const ObjectCall& call,
                             const v1::ObjectResult& result) {
  JsonWriter out;
  out.BeginObject();
  if (!result.masks().empty()) {
    WriteObjectMask(call, result.masks(0), &out);
  } else {
    WriteObjectMask(call, v1::ObjectMask(), &out);
  }
  if (call.compat == HttpCompat::kFixed) {
    out.Key("object_score").Number(result.object_score());
    out.Key("refined").Bool(result.refined());
  }
  if (call.request.return_all_candidates()) {
    out.Key("candidates").BeginArray();
    for (const v1::ObjectMask& mask : result.masks()) {
      out.BeginObject();
      WriteObjectMask(call, mask, &out);
      out.EndObject();
    }
    out.EndArray();
  }
  out.EndObject();
  return out.Take();
}

}  // namespace

absl::StatusOr<ObjectCall> ReadObjectCall(const JsonFields& body,
                                          HttpCompat compat) {
  return ObjectReader(body, compat).Read();
}

HttpResponse WriteObjectAnswer(const ObjectCall& call,
                               const v1::SegmentObjectsResponse& answer) {
  if (call.form == MaskForm::kBinary) return WriteObjectArchive(answer);
  std::vector<std::string> predictions;
  for (const v1::ObjectResult& result : answer.results()) {
    predictions.push_back(ObjectPrediction(call, result));
  }
  JsonWriter out;
  out.BeginObject().Key("predictions").BeginArray();
  for (const std::string& prediction : predictions) out.Raw(prediction);
  out.EndArray().Key("prompt_results").BeginArray();
  for (size_t i = 0; i < predictions.size(); ++i) {
    out.BeginObject().Key("prompt_index").Integer(static_cast<int64_t>(i));
    out.Key("predictions").BeginArray().Raw(predictions[i]).EndArray();
    out.EndObject();
  }
  out.EndArray();
  WriteAnswerFields(answer, call.compat, call.warnings, &out);
  out.EndObject();
  return {200, "application/json", {}, out.Take()};
}

}  // namespace sam3
