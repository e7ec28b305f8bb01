#include "inference/torch/model_heads.h"

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// What the published file has for following objects through a video, which
// clicks on a picture do not need.
constexpr const char* kMemoryTensors[] = {
    "mask_downsample.",
    "memory_attention.",
    "memory_encoder.",
    "memory_temporal_positional_encoding",
    "no_memory_positional_encoding",
    "no_object_pointer",
    "object_pointer_proj.",
    "occlusion_spatial_embedding_parameter",
    "temporal_positional_encoding_projection_layer."};

}  // namespace

absl::StatusOr<ModelHeads> ReadModelHeads(WeightReader& weights,
                                          const ModelConfig& config,
                                          ClassTokenRule class_token) {
  ModelHeads heads;
  heads.detector = std::make_unique<Detector>(weights, config, class_token);
  // A detector's configuration beside a whole model's file asks for the
  // detector alone.
  if (!config.interactive.has_value() || !weights.Has("tracker_")) {
    weights.SkipAll("tracker_model.");
    weights.SkipAll("tracker_neck.");
  } else {
    heads.clicks = std::make_unique<InteractiveHead>(weights, config);
    const bool remembers = weights.Has("tracker_model.memory_attention.");
    if (remembers && !config.tracker.has_value()) {
      return absl::InvalidArgumentError(config.tracker_problems);
    }
    if (remembers) {
      heads.tracker =
          std::make_unique<TrackerHead>(weights, config, *heads.clicks);
    } else {
      for (const char* memory : kMemoryTensors) {
        weights.SkipAll(absl::StrCat("tracker_model.", memory));
      }
    }
  }
  SAM3_RETURN_IF_ERROR(weights.Finish());
  return heads;
}

}  // namespace sam3
