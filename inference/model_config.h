#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

enum class Activation { kRelu, kGelu, kQuickGelu };

// Hyper-parameters of the vision transformer (Sam3ViTConfig).
struct VitConfig {
  int hidden_size = 1024;
  int intermediate_size = 4736;
  int layer_count = 32;
  int head_count = 16;
  int image_size = 1008;
  int patch_size = 14;
  int window_size = 24;
  int pretrain_image_size = 336;
  std::vector<int> global_layers = {7, 15, 23, 31};
  Activation activation = Activation::kGelu;
  double layer_norm_eps = 1e-6;
  double rope_theta = 10000.0;

  int grid() const { return image_size / patch_size; }
  int pretrain_grid() const { return pretrain_image_size / patch_size; }
  int head_size() const { return hidden_size / head_count; }
};

// The text encoder (CLIPTextConfig).
struct TextConfig {
  int vocab_size = 49408;
  int hidden_size = 1024;
  int intermediate_size = 4096;
  int projection_size = 512;
  int layer_count = 24;
  int head_count = 16;
  int position_count = 32;
  Activation activation = Activation::kGelu;
  double layer_norm_eps = 1e-5;
};

// One transformer stack of the detector. The geometry encoder, the DETR encoder
// and the DETR decoder share this shape.
struct StackConfig {
  int hidden_size = 256;
  int layer_count = 6;
  int head_count = 8;
  int intermediate_size = 2048;
  Activation activation = Activation::kRelu;
};

// The head for single objects (Sam3TrackerPromptEncoderConfig and
// Sam3TrackerMaskDecoderConfig), whose width is the detector's.
struct InteractiveConfig {
  int mask_channels = 16;
  Activation activation = Activation::kGelu;  // of earlier masks' encoder
  double layer_norm_eps = 1e-6;
  int layer_count = 2;
  int head_count = 8;
  int attention_downsample_rate = 2;
  int intermediate_size = 2048;
  // Masks to choose from where a prompt is ambiguous.
  int choice_count = 3;
  int iou_layer_count = 3;
  int iou_hidden_size = 256;
  // When the one mask is unstable, the best of the others takes its place.
  bool replace_unstable = true;
  double stability_delta = 0.05;
  double stability_threshold = 0.98;
};

// The memory of objects in a video (Sam3TrackerVideoConfig), whose width is the
// detector's too.
struct TrackerConfig {
  // Frames that are attended to: the most recent ones and the one before, and
  // those that somebody described.
  int memory_count = 7;
  int conditioning_count = 4;
  // Object pointers: of the frame and those before it.
  int pointer_count = 16;
  bool time_pointers = true;
  int memory_channels = 64;
  bool mark_occlusion = true;
  int layer_count = 4;
  int head_count = 1;
  int intermediate_size = 2048;
  Activation activation = Activation::kRelu;
  double rope_theta = 10000.0;
  // Of probabilities on their way into the memory.
  double mask_scale = 20.0;
  double mask_bias = -10.0;
  Activation mask_activation = Activation::kGelu;
  int fuser_layer_count = 2;
  int fuser_intermediate_size = 1024;
  int fuser_kernel_size = 7;
  Activation fuser_activation = Activation::kGelu;
  // Several masks are weighed for prompts of so few clicks, at the start and,
  // if wanted, on every frame.
  bool weigh_at_start = true;
  bool weigh_while_tracking = true;
  int weigh_from_clicks = 0;
  int weigh_to_clicks = 1;
};

// Everything that decides the shapes and the arithmetic of one detector.
struct ModelConfig {
  VitConfig vit;
  TextConfig text;
  StackConfig geometry{.layer_count = 3};
  StackConfig encoder;
  StackConfig decoder;
  // Absent in folders that hold the concept detector alone.
  std::optional<InteractiveConfig> interactive;
  // The same for the memory of videos.
  std::optional<TrackerConfig> tracker;
  // Why it is absent although there is a tracker_config: folders without the
  // memory's tensors need not describe them well.
  std::string tracker_problems;
  int roi_size = 7;
  int query_count = 200;
  int mask_head_count = 8;
  int mask_stage_count = 3;

  // Channels of the feature pyramid and of everything after it.
  int hidden_size() const { return encoder.hidden_size; }
  // Side of the low-resolution masks, pixels.
  int mask_size() const { return vit.grid() * 4; }
};

// Reads config.json of a Sam3Model folder, or of a Sam3VideoModel folder (the
// published checkpoint), whose detector_config and tracker_config are taken.
// Keys that are absent have the reference's defaults.
//
// Pure; any thread. INVALID_ARGUMENT lists every value that the reference does
// not know or that does not fit the others.
absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json);

}  // namespace sam3
