#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/engine.h"
#include "inference/engine_factory.h"

namespace sam3 {

// Where the tensors of a model come from.
struct WeightSource {
  // A folder in the Hugging Face layout, or empty for `embedded`.
  std::string folder;
  // A safetensors file in memory that outlives the engine.
  absl::string_view embedded;
};

// The libtorch that this program was compiled with, and whether with CUDA.
std::string TorchVersion();

// Loads a detector on libtorch; blocks for as long as the weights take. The
// engine may then be used by one thread, not necessarily this one.
// `config_json` is the text of config.json. Errors as LoadModel.
absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(
    const EngineOptions& options, absl::string_view config_json,
    const WeightSource& source, const std::string& model_name);

}  // namespace sam3
