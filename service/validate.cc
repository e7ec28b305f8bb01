#include "service/validate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "service/concept_text.h"
#include "service/convert.h"
#include "service/field_selection.h"
#include "service/geometry_reader.h"
#include "service/given_object_reader.h"
#include "service/track_config.h"

namespace sam3 {
namespace {

// What SAM 3 is told when a prompt has only examples.
constexpr absl::string_view kVisualText = "visual";
constexpr int kMinMaskSide = 16;
constexpr float kMaxTolerance = 100.0f;
constexpr size_t kMaxImageIdBytes = 128;

bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return absl::ascii_isprint(c); });
}

}  // namespace

// Collects violations while it converts.
class RequestValidator::Checker {
 public:
  explicit Checker(const RequestValidator& rules)
      : limits_(rules.limits_),
        tokenizer_(rules.tokenizer_),
        media_root_(rules.media_root_),
        aliases_(rules.aliases_) {}

  void Violate(std::string field, std::string description) {
    violations_.push_back({std::move(field), std::move(description)});
  }
  // The same for readers of parts.
  sam3::Violate violate() {
    return [this](std::string field, std::string description) {
      Violate(std::move(field), std::move(description));
    };
  }
  std::vector<FieldViolation> violations() const { return violations_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  absl::Status status() const {
    return violations_.empty() ? absl::OkStatus() : InvalidRequest(violations_);
  }

  void Fraction(const std::string& field, float value) {
    if (!(value >= 0.0f && value <= 1.0f)) {
      Violate(field, absl::StrCat("must be from 0 to 1, is ", value));
    }
  }

  void Id(const std::string& field, absl::string_view value, size_t limit) {
    if (value.size() > limit) {
      Violate(field, absl::StrCat("has ", value.size(), " bytes; at most ",
                                  limit, " are allowed"));
    } else if (!IsPrintable(value)) {
      Violate(field, "must be printable ASCII");
    }
  }

  ImageSource Image(const std::string& field, const v1::Image& image) {
    if (image.source_case() == v1::Image::kContent && image.content().empty()) {
      Violate(field + ".content", "is empty");
    } else if (image.source_case() == v1::Image::kUrl && image.url().empty()) {
      Violate(field + ".url", "is empty");
    } else if (image.source_case() == v1::Image::SOURCE_NOT_SET &&
               image.image_id().empty()) {
      Violate(field,
              "needs content, a url, or the image_id of a cached picture");
    }
    Id(field + ".image_id", image.image_id(), kMaxImageIdBytes);
    return {image.content(), image.image_id(), SourceUrl(image.url()),
            image.source_case() == v1::Image::kFile
                ? File(field + ".file", image.file())
                : nullptr};
  }

  // The named file, open already; null where it is refused.
  std::shared_ptr<const MediaFile> File(const std::string& field,
                                        const std::string& name) {
    auto file = media_root_.Open(name);
    if (file.ok()) return *std::move(file);
    Violate(field, std::string(file.status().message()));
    return nullptr;
  }

  ExemplarBox Exemplar(const std::string& field, const v1::Exemplar& exemplar) {
    ExemplarBox out;
    out.label = exemplar.label() == v1::Exemplar::LABEL_NEGATIVE
                    ? ExemplarLabel::kNegative
                    : ExemplarLabel::kPositive;
    if (!v1::Exemplar::Label_IsValid(exemplar.label())) {
      Violate(field + ".label", "is no known label");
    }
    out.normalized = exemplar.box().normalized();
    out.box = ReadBox(field + ".box", exemplar.box(), violate());
    return out;
  }

  PointedObject Object(const std::string& field,
                       const v1::ObjectPrompt& prompt) {
    PointedObject out;
    out.prompt_id = prompt.prompt_id();
    PromptId(field, prompt.prompt_id());
    if (prompt.points().empty() && !prompt.has_box() &&
        prompt.logits_handle().empty()) {
      Violate(field, "needs a point, a box or a logits_handle");
    }
    out.points = ReadPoints(field + ".points", prompt.points(),
                            limits_.max_points, violate());
    if (prompt.has_box()) {
      out.box = {ReadBox(field + ".box", prompt.box(), violate()),
                 prompt.box().normalized()};
    }
    Id(field + ".logits_handle", prompt.logits_handle(), kMaxImageIdBytes);
    out.logits_handle = prompt.logits_handle();
    return out;
  }

  ObjectRequest Objects(const v1::SegmentObjectsRequest& request) {
    ObjectRequest out;
    out.image = Image("image", request.image());
    if (request.prompts().empty()) {
      Violate("prompts", "at least one prompt is needed");
    }
    if (CountPrompts("prompts", request.prompts_size())) {
      for (int i = 0; i < request.prompts_size(); ++i) {
        out.prompts.push_back(
            Object(absl::StrCat("prompts[", i, "]"), request.prompts(i)));
      }
    }
    out.options.multimask =
        !request.has_multimask_output() || request.multimask_output();
    out.options.return_all_candidates = request.return_all_candidates();
    out.options.save_logits = request.save_logits();
    out.options.load_logits = request.load_logits();
    out.options.mask = Mask("mask_options", request.mask_options());
    out.options.fields =
        Fields("", request.fields(), *v1::SegmentObjectsResponse::descriptor(),
               "results.masks");
    Id("request_id", request.request_id(), kMaxImageIdBytes);
    return out;
  }

  // False where they are too many to look at each.
  bool CountPrompts(const std::string& field, int count) {
    if (count <= limits_.max_prompts) return true;
    Violate(field, absl::StrCat("has ", count, " entries; at most ",
                                limits_.max_prompts, " are allowed"));
    return false;
  }

  ConceptPrompt Prompt(const std::string& field,
                       const v1::ConceptPrompt& prompt) {
    ConceptPrompt out;
    out.prompt_id = prompt.prompt_id();
    out.text = prompt.text();
    PromptId(field, prompt.prompt_id());
    if (prompt.exemplars_size() > limits_.max_exemplars) {
      Violate(
          field + ".exemplars",
          absl::StrCat("has ", prompt.exemplars_size(), " entries; at most ",
                       limits_.max_exemplars, " are allowed"));
    }
    for (int i = 0; i < prompt.exemplars_size(); ++i) {
      out.exemplars.push_back(Exemplar(
          absl::StrCat(field, ".exemplars[", i, "]"), prompt.exemplars(i)));
    }
    if (prompt.has_score_threshold()) {
      Fraction(field + ".score_threshold", prompt.score_threshold());
      out.score_threshold = prompt.score_threshold();
    }
    Text(field, prompt, &out);
    return out;
  }

  std::vector<ConceptPrompt> Prompts(
      const std::string& field,
      const google::protobuf::RepeatedPtrField<v1::ConceptPrompt>& prompts) {
    std::vector<ConceptPrompt> out;
    if (!CountPrompts(field, prompts.size())) return out;
    for (int i = 0; i < prompts.size(); ++i) {
      out.push_back(Prompt(absl::StrCat(field, "[", i, "]"), prompts[i]));
    }
    return out;
  }

  // The options that a still request and a stream share. `prefix` leads to
  // them; `answer` is the message that their field mask belongs to, and
  // `instances` leads from it to the instances.
  template <typename Request>
  ConceptOptions Options(const std::string& prefix, const Request& request,
                         const google::protobuf::Descriptor& answer,
                         const std::string& instances) {
    ConceptOptions out;
    if (request.has_score_threshold()) {
      Fraction(prefix + "score_threshold", request.score_threshold());
      out.score_threshold = request.score_threshold();
    }
    if (request.has_nms() && !request.nms().has_iou_threshold()) {
      Violate(prefix + "nms.iou_threshold", "is missing");
    } else if (request.has_nms()) {
      Fraction(prefix + "nms.iou_threshold", request.nms().iou_threshold());
      out.nms_iou_threshold = request.nms().iou_threshold();
    }
    if (request.max_instances_per_prompt() < 0) {
      Violate(prefix + "max_instances_per_prompt", "must not be negative");
    }
    out.max_instances_per_prompt = request.max_instances_per_prompt();
    out.mask = Mask(prefix + "mask_options", request.mask_options());
    out.fields = Fields(prefix, request.fields(), answer, instances);
    return out;
  }

  ConceptRequest Concepts(const v1::SegmentConceptsRequest& request) {
    ConceptRequest out;
    out.image = Image("image", request.image());
    if (request.prompts().empty()) {
      Violate("prompts", "at least one prompt is needed");
    }
    out.prompts = Prompts("prompts", request.prompts());
    out.options =
        Options("", request, *v1::SegmentConceptsResponse::descriptor(),
                "results.instances");
    Id("request_id", request.request_id(), kMaxImageIdBytes);
    return out;
  }

 private:
  void PromptId(const std::string& field, const std::string& id) {
    Id(field + ".prompt_id", id, static_cast<size_t>(limits_.max_id_bytes));
    if (!id.empty() && !prompt_ids_.insert(id).second) {
      Violate(field + ".prompt_id", absl::StrCat("\"", id, "\" is used twice"));
    }
  }

  // `found` leads from the answer to what was found.
  ResultFields Fields(const std::string& prefix,
                      const google::protobuf::FieldMask& mask,
                      const google::protobuf::Descriptor& answer,
                      const std::string& found) {
    const FieldSelection fields(mask, answer);
    for (const int i : fields.unknown_paths()) {
      Violate(absl::StrCat(prefix, "fields.paths[", i, "]"),
              absl::StrCat("is no field of ", answer.name()));
    }
    return {.mask = fields.Wants(found + ".mask"),
            .box = fields.Wants(found + ".box"),
            .area = fields.Wants(found + ".area_px")};
  }

  MaskOptions Mask(const std::string& field, const v1::MaskOptions& mask) {
    if (!v1::MaskOptions::Format_IsValid(mask.format())) {
      Violate(field + ".format", "is no known format");
    }
    if (!v1::MaskOptions::Resolution_IsValid(mask.resolution())) {
      Violate(field + ".resolution", "is no known resolution");
    }
    if (mask.resolution() == v1::MaskOptions::RESOLUTION_MAX_SIDE &&
        (mask.max_side_px() < kMinMaskSide ||
         mask.max_side_px() > limits_.max_mask_side)) {
      Violate(field + ".max_side_px",
              absl::StrCat("must be from ", kMinMaskSide, " to ",
                           limits_.max_mask_side, ", is ", mask.max_side_px()));
    }
    if (!(mask.polygon_tolerance_px() >= 0 &&
          mask.polygon_tolerance_px() <= kMaxTolerance)) {
      Violate(field + ".polygon_tolerance_px",
              absl::StrCat("must be from 0 to ", kMaxTolerance));
    }
    return FromProto(mask);
  }

  void Text(const std::string& field, const v1::ConceptPrompt& prompt,
            ConceptPrompt* out) {
    absl::string_view text = prompt.text();
    if (absl::StripAsciiWhitespace(text).empty()) {
      if (prompt.exemplars().empty()) {
        Violate(field, "needs a text, an example box, or both");
        return;
      }
      text = kVisualText;
    }
    const ConceptText read =
        ReadConceptText(text, prompt.allow_truncation(), limits_.max_text_bytes,
                        tokenizer_, aliases_);
    if (!read.violation.empty()) Violate(field + ".text", read.violation);
    for (const std::string& warning : read.warnings) {
      warnings_.push_back(absl::StrCat(field, ".text: ", warning));
    }
    out->tokens = read.tokens;
  }

  const ServiceLimits& limits_;
  const Tokenizer& tokenizer_;
  const MediaRoot& media_root_;
  const ConceptAliases* const aliases_;
  std::set<std::string> prompt_ids_;
  std::vector<FieldViolation> violations_;
  std::vector<std::string> warnings_;
};

RequestValidator::RequestValidator(const ServiceLimits& limits,
                                   const Tokenizer& tokenizer,
                                   const EngineInfo& model,
                                   std::string media_root,
                                   const ConceptAliases* aliases)
    : limits_(limits),
      tokenizer_(tokenizer),
      model_(model),
      media_root_(std::move(media_root)),
      aliases_(aliases) {}

absl::Status RequestValidator::CheckModel(const std::string& model_id,
                                          absl::string_view field) const {
  if (model_id.empty() || model_id == model_.model_name ||
      model_id == model_.model_fingerprint) {
    return absl::OkStatus();
  }
  return WithField(
      WithReason(absl::NotFoundError(absl::StrCat(
                     "this server serves the model \"", model_.model_name,
                     "\" (", model_.model_fingerprint, ") and no other")),
                 reason::kModelNotFound),
      field);
}

absl::StatusOr<ConceptRequest> RequestValidator::ValidateConcepts(
    const v1::SegmentConceptsRequest& request,
    std::vector<std::string>* warnings) const {
  Checker checker(*this);
  ConceptRequest out = checker.Concepts(request);
  SAM3_RETURN_IF_ERROR(checker.status());
  if (warnings != nullptr) *warnings = checker.warnings();
  SAM3_RETURN_IF_ERROR(CheckModel(request.model_id(), "model_id"));
  return out;
}

std::vector<FieldViolation> RequestValidator::Violations(
    const v1::SegmentConceptsRequest& request,
    std::vector<std::string>* warnings) const {
  Checker checker(*this);
  checker.Concepts(request);
  *warnings = checker.warnings();
  const absl::Status model = CheckModel(request.model_id(), "model_id");
  if (!model.ok()) checker.Violate("model_id", std::string(model.message()));
  return checker.violations();
}

absl::StatusOr<ObjectRequest> RequestValidator::ValidateObjects(
    const v1::SegmentObjectsRequest& request) const {
  Checker checker(*this);
  ObjectRequest out = checker.Objects(request);
  SAM3_RETURN_IF_ERROR(checker.status());
  SAM3_RETURN_IF_ERROR(CheckModel(request.model_id(), "model_id"));
  return out;
}

absl::StatusOr<ImageSource> RequestValidator::ValidateEmbed(
    const v1::EmbedImageRequest& request) const {
  Checker checker(*this);
  ImageSource source = checker.Image("image", request.image());
  checker.Id("request_id", request.request_id(), kMaxImageIdBytes);
  SAM3_RETURN_IF_ERROR(checker.status());
  SAM3_RETURN_IF_ERROR(CheckModel(request.model_id(), "model_id"));
  return source;
}

absl::Status RequestValidator::CheckOffered(
    const v1::StreamConfig& config) const {
  if (model_.tracks) return absl::OkStatus();
  const char* field = nullptr;
  if (!config.objects().empty()) field = "config.objects";
  if (config.task() == v1::StreamConfig::TASK_TRACK) field = "config.task";
  if (field == nullptr) return absl::OkStatus();
  return WithField(
      WithReason(absl::UnimplementedError(absl::StrCat(
                     field,
                     ": the model that is served has no memory of videos; use "
                     "TASK_DETECT with prompts")),
                 reason::kNotOffered),
      field);
}

absl::StatusOr<StreamConfig> RequestValidator::ValidateStream(
    const v1::StreamConfig& config) const {
  SAM3_RETURN_IF_ERROR(CheckOffered(config));
  Checker checker(*this);
  StreamConfig out;
  switch (config.source_case()) {
    case v1::StreamConfig::kPushedFrames:
      out.source = StreamSourceKind::kPushedFrames;
      break;
    case v1::StreamConfig::kPushedChunks:
      out.source = StreamSourceKind::kPushedChunks;
      break;
    case v1::StreamConfig::kFile:
      out.source = StreamSourceKind::kFile;
      out.file = checker.File("config.file", config.file());
      break;
    case v1::StreamConfig::kUrl:
      out.source = StreamSourceKind::kUrl;
      out.url = SourceUrl(config.url());
      if (out.url.empty()) checker.Violate("config.url", "is empty");
      break;
    default:
      checker.Violate("config", "needs a source");
  }
  if (!v1::StreamConfig::Delivery_IsValid(config.delivery())) {
    checker.Violate("config.delivery", "is no known delivery");
  }
  const bool latest =
      config.delivery() == v1::StreamConfig::DELIVERY_LATEST ||
      (config.delivery() == v1::StreamConfig::DELIVERY_UNSPECIFIED &&
       out.source == StreamSourceKind::kUrl);
  out.delivery = latest ? FrameDelivery::kLatest : FrameDelivery::kEvery;
  if (config.prompts().empty() && config.objects().empty()) {
    checker.Violate("config.prompts",
                    "at least one prompt is needed, or objects");
  }
  out.prompts = checker.Prompts("config.prompts", config.prompts());
  out.objects = GivenObjectReader(limits_).ReadAll(
      "config.objects", config.objects(), checker.violate());
  out.max_prompts = static_cast<size_t>(limits_.max_prompts);
  out.options = checker.Options("config.", config,
                                *v1::PromptResult::descriptor(), "instances");
  if (!std::isfinite(config.analyse_fps()) || config.analyse_fps() < 0) {
    checker.Violate("config.analyse_fps", "must be 0 or a positive number");
  }
  if (config.every_nth_frame() < 0) {
    checker.Violate("config.every_nth_frame", "must not be negative");
  }
  if (config.analyse_fps() > 0 && config.every_nth_frame() > 1) {
    checker.Violate("config.every_nth_frame",
                    "cannot be combined with analyse_fps");
  }
  out.track = ReadTrackConfig(config, limits_, checker.violate());
  out.analyse_fps = config.analyse_fps();
  out.every_nth_frame = std::max(1, config.every_nth_frame());
  SAM3_RETURN_IF_ERROR(checker.status());
  SAM3_RETURN_IF_ERROR(CheckModel(config.model_id(), "config.model_id"));
  return out;
}

PromptUpdate RequestValidator::ValidateUpdate(
    const v1::PromptUpdate& update) const {
  PromptUpdate out;
  out.remove.assign(update.remove_prompt_ids().begin(),
                    update.remove_prompt_ids().end());
  for (int i = 0; i < update.add_size(); ++i) {
    Checker checker(*this);
    ConceptPrompt prompt = checker.Prompt(
        absl::StrCat("prompt_update.add[", i, "]"), update.add(i));
    if (checker.status().ok()) {
      out.add.push_back(std::move(prompt));
    } else {
      out.rejected.push_back({std::move(prompt.prompt_id), checker.status()});
    }
  }
  GivenObjectReader(limits_).ReadUpdate(update, &out);
  return out;
}

}  // namespace sam3
