#include "service/http/concept_json.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "service/http/answer_json.h"
#include "service/http/common_fields.h"
#include "service/http/image_json.h"
#include "service/http/mask_archive.h"

namespace sam3 {
namespace {

using simdjson::dom::element;

constexpr float kDefaultThreshold = 0.5f;
// What the public server's encoder is told when a prompt has no text.
constexpr char kNoText[] = "visual";

class ConceptReader {
 public:
  ConceptReader(const JsonFields& body, HttpCompat compat)
      : body_(body), exact_(compat == HttpCompat::kExact) {
    call_.compat = compat;
  }

  absl::StatusOr<ConceptCall> Read() {
    absl::Status picture;
    if (const auto image = body_.Require("image")) {
      if (const auto fields = body_.ObjectAt(*image, body_.PathOf("image"))) {
        picture = ReadImage(*fields, call_.request.mutable_image());
      }
    }
    ImageId();
    Threshold();
    Prompts();
    Suppression();
    Format();
    SAM3_RETURN_IF_ERROR(picture);
    SAM3_ASSIGN_OR_RETURN(*call_.request.mutable_model_id(),
                          ReadModelId(body_));
    call_.request.set_request_id(ReadRequestId(body_));
    return std::move(call_);
  }

 private:
  void ImageId() {
    const auto id = body_.Text("image_id");
    // The public server takes it and does nothing with it.
    if (!id.has_value() || exact_) return;
    call_.request.mutable_image()->set_image_id(V1ImageId(*id));
  }

  void Threshold() {
    const std::optional<double> asked = body_.Number("output_prob_thresh");
    threshold_ = static_cast<float>(asked.value_or(kDefaultThreshold));
    if (exact_ && threshold_ == 0) threshold_ = kDefaultThreshold;
    const float cut = std::clamp(threshold_, 0.0f, 1.0f);
    if (cut != threshold_) {
      call_.warnings.push_back(absl::StrCat("output_prob_thresh ", threshold_,
                                            " was read as ", cut));
    }
    threshold_ = cut;
    call_.request.set_score_threshold(threshold_);
  }

  void Prompts() {
    if (!body_.Require("prompts").has_value()) return;
    const auto list = body_.List("prompts");
    if (!list.has_value()) return;
    if (list->empty()) {
      body_.Problem(body_.PathOf("prompts"), "too_short",
                    "List should have at least 1 item");
    }
    for (size_t i = 0; i < list->size(); ++i) {
      const auto prompt =
          body_.ObjectAt((*list)[i], absl::StrCat("prompts[", i, "]"));
      if (prompt.has_value()) Prompt(*prompt, call_.request.add_prompts());
    }
  }

  void Prompt(const JsonFields& prompt, v1::ConceptPrompt* out) {
    const std::string type(prompt.Text("type").value_or(""));
    out->set_text(std::string(prompt.Text("text").value_or("")));
    out->set_allow_truncation(true);
    const auto boxes = prompt.List("boxes");
    const size_t count = boxes.has_value() ? boxes->size() : 0;
    for (size_t i = 0; i < count; ++i) {
      const auto box = prompt.ObjectAt(
          (*boxes)[i], absl::StrCat(prompt.PathOf("boxes"), "[", i, "]"));
      if (box.has_value()) Box(*box, out->add_exemplars()->mutable_box());
    }
    Labels(prompt, count, out);
    if (type == "visual" && count == 0) {
      prompt.Problem(prompt.PathOf("boxes"), "value_error",
                     "a visual prompt needs at least one box");
    }
    // The public server looks for "visual" when it is told nothing.
    if (exact_ && out->text().empty() && count == 0) out->set_text(kNoText);
    if (const auto own = prompt.Number("output_prob_thresh")) {
      out->set_score_threshold(static_cast<float>(*own));
    }
  }

  static void Box(const JsonFields& box, v1::Box* out) {
    if (box.Find("x0") || box.Find("y0") || box.Find("x1") || box.Find("y1")) {
      auto* corners = out->mutable_xyxy();
      corners->set_x0(Coordinate(box, "x0"));
      corners->set_y0(Coordinate(box, "y0"));
      corners->set_x1(Coordinate(box, "x1"));
      corners->set_y1(Coordinate(box, "y1"));
    } else {
      auto* sides = out->mutable_xywh();
      sides->set_x(Coordinate(box, "x"));
      sides->set_y(Coordinate(box, "y"));
      sides->set_width(Coordinate(box, "width"));
      sides->set_height(Coordinate(box, "height"));
    }
  }

  static float Coordinate(const JsonFields& box, absl::string_view name) {
    return static_cast<float>(box.RequireNumber(name).value_or(0));
  }

  void Labels(const JsonFields& prompt, size_t boxes, v1::ConceptPrompt* out) {
    const auto labels = prompt.List("box_labels");
    if (!labels.has_value()) {
      // The public server fails on this; its documentation demands labels.
      if (exact_ && boxes > 0 && !prompt.Find("box_labels").has_value()) {
        prompt.Problem(prompt.PathOf("box_labels"), "missing",
                       "Field required, as there are boxes");
      }
      return;
    }
    if (labels->size() != boxes) {
      prompt.Problem(prompt.PathOf("box_labels"), "value_error",
                     absl::StrCat("there are ", boxes, " boxes and ",
                                  labels->size(), " labels"));
      return;
    }
    for (size_t i = 0; i < boxes; ++i) {
      const std::optional<double> label = NumberIn((*labels)[i]);
      if (!label.has_value()) {
        prompt.Problem(absl::StrCat(prompt.PathOf("box_labels"), "[", i, "]"),
                       "int_type", "Input should be 0, 1, true or false");
      } else if (static_cast<int>(i) < out->exemplars_size()) {
        out->mutable_exemplars(static_cast<int>(i))
            ->set_label(*label == 0 ? v1::Exemplar::LABEL_NEGATIVE
                                    : v1::Exemplar::LABEL_POSITIVE);
      }
    }
  }

  void Suppression() {
    if (const auto iou = body_.Number("nms_iou_threshold")) {
      call_.request.mutable_nms()->set_iou_threshold(static_cast<float>(*iou));
      return;
    }
    if (!exact_) return;
    // Without suppression the public server filters prompts that have no
    // threshold of their own by the lowest of all.
    float lowest = threshold_;
    for (const v1::ConceptPrompt& prompt : call_.request.prompts()) {
      if (prompt.has_score_threshold()) {
        lowest = std::min(lowest, prompt.score_threshold());
      }
    }
    call_.request.set_score_threshold(std::max(lowest, 0.0f));
  }

  void Format() {
    const absl::string_view word = body_.Text("format").value_or("polygon");
    const std::optional<MaskForm> form = MaskFormNamed(word);
    if (!form.has_value() && !exact_) {
      body_.Problem(body_.PathOf("format"), "value_error",
                    "must be polygon, json, rle, binary or none");
    }
    call_.form = form.value_or(MaskForm::kNone);
    call_.holes = !exact_ && body_.Flag("polygon_holes").value_or(false);
    *call_.request.mutable_mask_options() =
        MaskOptionsFor(call_.form, call_.holes);
  }

  const JsonFields& body_;
  const bool exact_;
  float threshold_ = kDefaultThreshold;
  ConceptCall call_;
};

void WritePrediction(const ConceptCall& call, const v1::Instance& instance,
                     JsonWriter* out) {
  out->BeginObject();
  WriteMaskFields(instance.mask(), call.form, call.holes, call.compat, out);
  out->Key("confidence").Number(instance.score());
  if (call.compat == HttpCompat::kFixed) {
    out->Key("score").Number(instance.score());
    out->Key("query_score").Number(instance.query_score());
    out->Key("presence_score").Number(instance.presence_score());
    out->Key("box");
    WriteBox(instance.box(), out);
    out->Key("detector_box");
    WriteBox(instance.detector_box(), out);
    out->Key("area").Integer(instance.area_px());
  }
  out->EndObject();
}

void WriteEcho(const v1::ConceptPrompt& prompt, int index, JsonWriter* out) {
  out->Key("echo").BeginObject().Key("prompt_index").Integer(index);
  out->Key("type").Text(prompt.exemplars().empty() ? "text" : "visual");
  out->Key("text");
  if (prompt.text().empty()) {
    out->Null();
  } else {
    out->Text(prompt.text());
  }
  out->Key("num_boxes").Integer(prompt.exemplars_size()).EndObject();
}

}  // namespace

absl::StatusOr<ConceptCall> ReadConceptCall(const JsonFields& body,
                                            HttpCompat compat) {
  return ConceptReader(body, compat).Read();
}

HttpResponse WriteConceptAnswer(const ConceptCall& call,
                                const v1::SegmentConceptsResponse& answer) {
  if (call.form == MaskForm::kBinary) return WriteConceptArchive(answer);
  JsonWriter out;
  out.BeginObject().Key("prompt_results").BeginArray();
  for (const v1::PromptResult& result : answer.results()) {
    const int index = result.prompt_index();
    out.BeginObject().Key("prompt_index").Integer(index);
    WriteEcho(call.request.prompts(index), index, &out);
    out.Key("predictions").BeginArray();
    // Told nothing of the form, the public server tells nothing of the masks.
    const bool told =
        call.compat == HttpCompat::kFixed || call.form != MaskForm::kNone;
    for (const v1::Instance& instance : result.instances()) {
      if (told) WritePrediction(call, instance, &out);
    }
    out.EndArray();
    if (call.compat == HttpCompat::kFixed) {
      out.Key("presence_score").Number(result.presence_score());
    }
    out.EndObject();
  }
  out.EndArray();
  WriteAnswerFields(answer, call.compat, call.warnings, &out);
  out.EndObject();
  return {200, "application/json", {}, out.Take()};
}

}  // namespace sam3
