#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "inference/engine_factory.h"
#include "inference/model_config.h"
#include "inference/torch/detector.h"
#include "inference/torch/interactive/interactive_head.h"
#include "inference/torch/tracker/tracker_head.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Everything that a model folder has weights for; each may use those above it.
struct ModelHeads {
  std::unique_ptr<Detector> detector;
  std::unique_ptr<InteractiveHead> clicks;  // null: the detector alone
  std::unique_ptr<TrackerHead> tracker;     // null: no memory of videos
};

// Reads them strictly: a part is there with all its tensors or with none. The
// errors of WeightReader::Finish(), and INVALID_ARGUMENT for a memory whose
// sizes the configuration does not tell. Inside GuardTorch.
absl::StatusOr<ModelHeads> ReadModelHeads(WeightReader& weights,
                                          const ModelConfig& config,
                                          ClassTokenRule class_token);

}  // namespace sam3
