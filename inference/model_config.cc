#include "inference/model_config.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace sam3 {
namespace {

using Json = nlohmann::json;

// Reads typed values out of one JSON object and remembers everything that is
// wrong, so that one answer names it all.
class Section {
 public:
  Section(const Json& object, std::string path,
          std::vector<std::string>* violations)
      : object_(object), path_(std::move(path)), violations_(violations) {}

  Section Child(const char* key) const {
    static const Json kEmpty = Json::object();
    const Json* child = Find(key);
    if (child != nullptr && !child->is_object()) {
      Violate(key, "must be an object");
      child = nullptr;
    }
    return Section(child == nullptr ? kEmpty : *child,
                   absl::StrCat(path_, path_.empty() ? "" : ".", key),
                   violations_);
  }

  // False when the section is absent or empty: then all defaults hold.
  bool present() const { return !object_.empty(); }

  void Int(const char* key, int* value) const {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if (!found->is_number_integer() || found->get<int64_t>() < 1 ||
        found->get<int64_t>() > 1'000'000) {
      return Violate(key, absl::StrCat("must be an integer from 1 to 1000000, "
                                       "is ",
                                       found->dump()));
    }
    *value = found->get<int>();
  }

  // The same, but none is allowed.
  void Count(const char* key, int* value) const {
    const Json* found = Find(key);
    if (found != nullptr && *found == 0) {
      *value = 0;
    } else {
      Int(key, value);
    }
  }

  // Sizes that the reference allows as a pair must be square here.
  void Side(const char* key, int* value) const {
    const Json* found = Find(key);
    if (found != nullptr && found->is_array() && found->size() == 2 &&
        found->at(0) == found->at(1) && found->at(0).is_number_integer()) {
      *value = found->at(0).get<int>();
      return;
    }
    Int(key, value);
  }

  void Number(const char* key, double* value) const {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if (!found->is_number() || !std::isfinite(found->get<double>())) {
      return Violate(key, absl::StrCat("must be a number, is ", found->dump()));
    }
    *value = found->get<double>();
  }

  void Positive(const char* key, double* value) const {
    double number = 1;
    Number(key, &number);
    const Json* found = Find(key);
    if (found == nullptr || !found->is_number()) return;
    if (!(number > 0)) {
      return Violate(
          key, absl::StrCat("must be a positive number, is ", found->dump()));
    }
    *value = number;
  }

  void Bool(const char* key, bool* value) const {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if (!found->is_boolean()) return Violate(key, "must be true or false");
    *value = found->get<bool>();
  }

  void Act(const char* key, Activation* value) const {
    const Json* found = Find(key);
    if (found == nullptr) return;
    if (*found == "relu") {
      *value = Activation::kRelu;
    } else if (*found == "gelu") {
      *value = Activation::kGelu;
    } else if (*found == "quick_gelu") {
      *value = Activation::kQuickGelu;
    } else {
      Violate(key, absl::StrCat("must be relu, gelu or quick_gelu, is ",
                                found->dump()));
    }
  }

  void Ints(const char* key, std::vector<int>* value) const {
    const Json* found = Find(key);
    if (found == nullptr) return;
    std::vector<int> result;
    bool good = found->is_array();
    for (size_t i = 0; good && i < found->size(); ++i) {
      good = found->at(i).is_number_integer();
      if (good) result.push_back(found->at(i).get<int>());
    }
    if (!good) return Violate(key, "must be a list of integers");
    *value = std::move(result);
  }

  // For values of which the program knows exactly one.
  void Only(const char* key, const Json& known) const {
    const Json* found = Find(key);
    if (found != nullptr && *found != known) {
      Violate(key,
              absl::StrCat("must be ", known.dump(), ", is ", found->dump()));
    }
  }

  void Violate(absl::string_view key, absl::string_view what) const {
    violations_->push_back(
        absl::StrCat(path_, path_.empty() ? "" : ".", key, " ", what));
  }

 private:
  const Json* Find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  const Json& object_;
  const std::string path_;
  std::vector<std::string>* const violations_;
};

void ReadVit(const Section& section, VitConfig* vit) {
  section.Int("hidden_size", &vit->hidden_size);
  section.Int("intermediate_size", &vit->intermediate_size);
  section.Int("num_hidden_layers", &vit->layer_count);
  section.Int("num_attention_heads", &vit->head_count);
  section.Side("image_size", &vit->image_size);
  section.Side("patch_size", &vit->patch_size);
  section.Side("pretrain_image_size", &vit->pretrain_image_size);
  section.Int("window_size", &vit->window_size);
  section.Ints("global_attn_indexes", &vit->global_layers);
  section.Act("hidden_act", &vit->activation);
  section.Positive("layer_norm_eps", &vit->layer_norm_eps);
  section.Only("num_channels", 3);
  section.Positive("rope_theta", &vit->rope_theta);
  const Section rope = section.Child("rope_parameters");
  rope.Positive("rope_theta", &vit->rope_theta);
  rope.Only("rope_type", "axial");
  for (int layer : vit->global_layers) {
    if (layer < 0 || layer >= vit->layer_count) {
      section.Violate(
          "global_attn_indexes",
          absl::StrCat("names layer ", layer, " of ", vit->layer_count));
    }
  }
  if (vit->image_size % vit->patch_size != 0) {
    section.Violate("image_size", "must be a multiple of patch_size");
  }
  if (vit->pretrain_grid() < 1) {
    section.Violate("pretrain_image_size", "must be at least patch_size");
  }
  if (vit->hidden_size % vit->head_count != 0 || vit->head_size() % 4 != 0) {
    section.Violate("hidden_size",
                    "must be num_attention_heads times a multiple of 4");
  }
}

void ReadText(const Section& section, TextConfig* text) {
  if (section.present()) {
    // The defaults of a section that is present are those of CLIP's own class,
    // not those of the published SAM 3.
    *text = TextConfig{.hidden_size = 512,
                       .intermediate_size = 2048,
                       .layer_count = 12,
                       .head_count = 8,
                       .position_count = 77,
                       .activation = Activation::kQuickGelu};
  }
  section.Int("vocab_size", &text->vocab_size);
  section.Int("hidden_size", &text->hidden_size);
  section.Int("intermediate_size", &text->intermediate_size);
  section.Int("projection_dim", &text->projection_size);
  section.Int("num_hidden_layers", &text->layer_count);
  section.Int("num_attention_heads", &text->head_count);
  section.Int("max_position_embeddings", &text->position_count);
  section.Act("hidden_act", &text->activation);
  section.Positive("layer_norm_eps", &text->layer_norm_eps);
  section.Only("model_type", "clip_text_model");
  if (text->hidden_size % text->head_count != 0) {
    section.Violate("hidden_size", "must be a multiple of num_attention_heads");
  }
  if (text->position_count < 32) {
    section.Violate("max_position_embeddings", "must be at least 32");
  }
}

void ReadStack(const Section& section, StackConfig* stack) {
  section.Int("hidden_size", &stack->hidden_size);
  section.Int("num_layers", &stack->layer_count);
  section.Int("num_attention_heads", &stack->head_count);
  section.Int("intermediate_size", &stack->intermediate_size);
  section.Act("hidden_act", &stack->activation);
  if (stack->hidden_size % stack->head_count != 0) {
    section.Violate("hidden_size", "must be a multiple of num_attention_heads");
  }
}

// The reference adds, multiplies and concatenates these tensors, so their
// widths must agree.
void CheckWidths(const Section& root, int fpn_size, int mask_size,
                 const ModelConfig& config) {
  const int hidden = config.hidden_size();
  const std::pair<const char*, int> widths[] = {
      {"vision_config.fpn_hidden_size", fpn_size},
      {"geometry_encoder_config.hidden_size", config.geometry.hidden_size},
      {"detr_decoder_config.hidden_size", config.decoder.hidden_size},
      {"mask_decoder_config.hidden_size", mask_size}};
  for (const auto& [name, width] : widths) {
    if (width != hidden) {
      root.Violate(
          name,
          absl::StrCat("is ", width, " but detr_encoder_config.hidden_size is ",
                       hidden));
    }
  }
  if (hidden % 8 != 0) {
    root.Violate("detr_encoder_config.hidden_size", "must be a multiple of 8");
  }
  if (mask_size % config.mask_head_count != 0) {
    root.Violate("mask_decoder_config.hidden_size",
                 "must be a multiple of num_attention_heads");
  }
  if (config.mask_stage_count < 2) {
    root.Violate("mask_decoder_config.num_upsampling_stages",
                 "must be at least 2");
  }
}

// The tracker reads what the detector's vision transformer makes, through a
// neck of the detector's configuration; its own vision_config describes
// neither.
void ReadInteractive(const Section& tracker, const ModelConfig& model,
                     InteractiveConfig* head) {
  const auto same = [](const Section& section, const char* key, int value,
                       int expected) {
    section.Side(key, &value);
    if (value != expected) {
      section.Violate(
          key, absl::StrCat("is ", value, " but the detector has ", expected));
    }
  };
  const Section prompts = tracker.Child("prompt_encoder_config");
  same(prompts, "hidden_size", 256, model.hidden_size());
  same(prompts, "image_size", 1008, model.vit.image_size);
  same(prompts, "patch_size", 14, model.vit.patch_size);
  prompts.Int("mask_input_channels", &head->mask_channels);
  prompts.Only("num_point_embeddings", 4);
  prompts.Act("hidden_act", &head->activation);
  prompts.Positive("layer_norm_eps", &head->layer_norm_eps);
  if (head->mask_channels % 4 != 0) {
    prompts.Violate("mask_input_channels", "must be a multiple of 4");
  }
  const Section masks = tracker.Child("mask_decoder_config");
  same(masks, "hidden_size", 256, model.hidden_size());
  masks.Int("num_hidden_layers", &head->layer_count);
  masks.Int("num_attention_heads", &head->head_count);
  masks.Int("attention_downsample_rate", &head->attention_downsample_rate);
  masks.Int("mlp_dim", &head->intermediate_size);
  masks.Int("num_multimask_outputs", &head->choice_count);
  masks.Int("iou_head_depth", &head->iou_layer_count);
  masks.Int("iou_head_hidden_dim", &head->iou_hidden_size);
  masks.Bool("dynamic_multimask_via_stability", &head->replace_unstable);
  masks.Positive("dynamic_multimask_stability_delta", &head->stability_delta);
  masks.Positive("dynamic_multimask_stability_thresh",
                 &head->stability_threshold);
  // In 64 bits: two large values would wrap to 0 in 32.
  if (model.hidden_size() %
          (int64_t{head->head_count} * head->attention_downsample_rate) !=
      0) {
    masks.Violate("num_attention_heads",
                  "times attention_downsample_rate must divide hidden_size");
  }
  for (const auto& [key, depth] :
       {std::pair{"num_hidden_layers", head->layer_count},
        std::pair{"iou_head_depth", head->iou_layer_count}}) {
    if (depth < 2) masks.Violate(key, "must be at least 2");
  }
}

// Of the memory's modules, those whose shapes the reference takes from each
// other or that it can make in one shape alone have one value here.
void ReadTracker(const Section& section, const ModelConfig& model,
                 TrackerConfig* tracker) {
  section.Int("num_maskmem", &tracker->memory_count);
  section.Int("max_cond_frame_num", &tracker->conditioning_count);
  section.Int("max_object_pointers_in_encoder", &tracker->pointer_count);
  section.Bool("enable_temporal_pos_encoding_for_object_pointers",
               &tracker->time_pointers);
  section.Int("memory_encoder_output_channels", &tracker->memory_channels);
  section.Bool("enable_occlusion_spatial_embedding", &tracker->mark_occlusion);
  section.Int("memory_attention_num_layers", &tracker->layer_count);
  section.Int("memory_attention_num_attention_heads", &tracker->head_count);
  section.Int("memory_attention_feed_forward_hidden_size",
              &tracker->intermediate_size);
  section.Act("memory_attention_feed_forward_hidden_act", &tracker->activation);
  section.Positive("sigmoid_scale_for_mem_enc", &tracker->mask_scale);
  section.Number("sigmoid_bias_for_mem_enc", &tracker->mask_bias);
  section.Act("mask_downsampler_hidden_act", &tracker->mask_activation);
  section.Int("memory_fuser_num_layers", &tracker->fuser_layer_count);
  section.Int("memory_fuser_intermediate_dim",
              &tracker->fuser_intermediate_size);
  section.Int("memory_fuser_kernel_size", &tracker->fuser_kernel_size);
  section.Act("memory_fuser_hidden_act", &tracker->fuser_activation);
  section.Bool("multimask_output_in_sam", &tracker->weigh_at_start);
  section.Bool("multimask_output_for_tracking", &tracker->weigh_while_tracking);
  section.Count("multimask_min_pt_num", &tracker->weigh_from_clicks);
  section.Count("multimask_max_pt_num", &tracker->weigh_to_clicks);
  const Section rope = section.Child("rope_parameters");
  rope.Positive("rope_theta", &tracker->rope_theta);
  rope.Only("rope_type", "axial");
  for (const char* key :
       {"memory_attention_hidden_size", "memory_encoder_hidden_size",
        "mask_downsampler_embed_dim", "memory_fuser_embed_dim"}) {
    int width = 256;
    section.Int(key, &width);
    if (width != model.hidden_size()) {
      section.Violate(key, absl::StrCat("is ", width, " but the detector has ",
                                        model.hidden_size()));
    }
  }
  section.Only("memory_attention_downsample_rate", 1);
  section.Only("mask_downsampler_kernel_size", 3);
  section.Only("mask_downsampler_stride", 2);
  section.Only("mask_downsampler_padding", 1);
  section.Only("mask_downsampler_total_stride", 16);
  section.Only("memory_fuser_padding", tracker->fuser_kernel_size / 2);
  if (tracker->memory_count < 2) {
    section.Violate("num_maskmem", "must be at least 2");
  }
  if (tracker->pointer_count < 2) {
    section.Violate("max_object_pointers_in_encoder", "must be at least 2");
  }
  if (model.hidden_size() % (int64_t{4} * tracker->head_count) != 0) {
    section.Violate("memory_attention_num_attention_heads",
                    "times 4 must divide hidden_size");
  }
  if (model.hidden_size() % tracker->memory_channels != 0 ||
      tracker->memory_channels % 4 != 0) {
    section.Violate("memory_encoder_output_channels",
                    "must be a multiple of 4 that divides hidden_size");
  }
  if (tracker->fuser_kernel_size % 2 == 0) {
    section.Violate("memory_fuser_kernel_size", "must be odd");
  }
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json) {
  const Json document = Json::parse(json.begin(), json.end(), nullptr,
                                    /*allow_exceptions=*/false);
  if (!document.is_object()) {
    return absl::InvalidArgumentError("config.json is not a JSON object");
  }
  const Json* detector = &document;
  if (const auto found = document.find("detector_config");
      found != document.end() && found->is_object()) {
    detector = &*found;
  } else if (const auto type = document.find("model_type");
             type == document.end() || *type != "sam3") {
    return absl::InvalidArgumentError(absl::StrCat(
        "config.json: model_type is ",
        type == document.end() ? "absent" : type->dump(),
        "; this program runs sam3 (Sam3Model) and sam3_video folders"));
  }

  std::vector<std::string> violations;
  const Section root(*detector, "", &violations);
  ModelConfig config;
  const Section vision = root.Child("vision_config");
  ReadVit(vision.Child("backbone_config"), &config.vit);
  int fpn_size = 256;
  vision.Int("fpn_hidden_size", &fpn_size);
  vision.Only("scale_factors", Json::array({4.0, 2.0, 1.0, 0.5}));
  ReadText(root.Child("text_config"), &config.text);
  const Section geometry = root.Child("geometry_encoder_config");
  ReadStack(geometry, &config.geometry);
  geometry.Int("roi_size", &config.roi_size);
  ReadStack(root.Child("detr_encoder_config"), &config.encoder);
  const Section decoder = root.Child("detr_decoder_config");
  ReadStack(decoder, &config.decoder);
  decoder.Int("num_queries", &config.query_count);
  const Section mask = root.Child("mask_decoder_config");
  int mask_size = 256;
  mask.Int("hidden_size", &mask_size);
  mask.Int("num_attention_heads", &config.mask_head_count);
  mask.Int("num_upsampling_stages", &config.mask_stage_count);
  CheckWidths(root, fpn_size, mask_size, config);
  if (detector != &document) {
    const Section whole(document, "", &violations);
    const Section tracker = whole.Child("tracker_config");
    if (tracker.present()) {
      ReadInteractive(tracker, config, &config.interactive.emplace());
      std::vector<std::string> problems;
      ReadTracker(Section(document, "", &problems).Child("tracker_config"),
                  config, &config.tracker.emplace());
      if (!problems.empty()) {
        config.tracker.reset();
        config.tracker_problems =
            absl::StrCat("config.json: ", absl::StrJoin(problems, "; "));
      }
    }
  }
  if (!violations.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("config.json: ", absl::StrJoin(violations, "; ")));
  }
  return config;
}

}  // namespace sam3
