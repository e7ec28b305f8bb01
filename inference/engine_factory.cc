#include "inference/engine_factory.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "inference/demo_model/embedded_model.h"
#include "inference/fake_engine.h"
#include "inference/model_folder.h"
#ifdef SAM3_WITH_TORCH
#include "inference/torch/torch_engine.h"
#endif

namespace sam3 {
namespace {

#ifdef SAM3_WITH_TORCH
absl::StatusOr<std::string> ReadConfig(const std::string& folder) {
  std::ifstream stream(folder + "/config.json", std::ios::binary);
  if (!stream) {
    return absl::PermissionDeniedError(
        absl::StrCat(folder, "/config.json cannot be read"));
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

absl::StatusOr<LoadedModel> LoadFolder(const EngineOptions& options) {
  SAM3_ASSIGN_OR_RETURN(const std::string config,
                        ReadConfig(options.model_dir));
  LoadedModel model;
  SAM3_ASSIGN_OR_RETURN(model.tokenizer,
                        Tokenizer::FromFolder(options.model_dir));
  std::filesystem::path folder(options.model_dir);
  if (!folder.has_filename()) folder = folder.parent_path();
  auto engine = CreateTorchEngine(options, config, {options.model_dir, {}},
                                  folder.filename().string());
  if (!engine.ok()) {
    return absl::Status(
        engine.status().code(),
        absl::StrCat(options.model_dir, ": ", engine.status().message()));
  }
  model.engine = *std::move(engine);
  return model;
}

absl::StatusOr<LoadedModel> LoadDemo(const EngineOptions& options) {
  const EmbeddedModel demo = GetEmbeddedDemoModel();
  LoadedModel model;
  SAM3_ASSIGN_OR_RETURN(model.tokenizer,
                        Tokenizer::FromFiles(demo.vocab_json, demo.merges_txt));
  SAM3_ASSIGN_OR_RETURN(
      model.engine,
      CreateTorchEngine(options, demo.config_json, {"", demo.safetensors},
                        std::string(kEmbeddedDemoModelName)));
  return model;
}
#endif

}  // namespace

std::string EngineLibrary() {
#ifdef SAM3_WITH_TORCH
  return absl::StrCat("libtorch ", TorchVersion());
#else
  return "no libtorch (SAM3_TORCH=OFF)";
#endif
}

absl::StatusOr<LoadedModel> LoadModel(const EngineOptions& options) {
  if (options.kind == EngineKind::kFake) return MakeFakeModel(nullptr);
  if (!options.model_dir.empty()) {
    SAM3_RETURN_IF_ERROR(CheckModelFolder(options.model_dir));
  }
#ifdef SAM3_WITH_TORCH
  return options.model_dir.empty() ? LoadDemo(options) : LoadFolder(options);
#else
  return absl::FailedPreconditionError(
      "this program was built without libtorch (SAM3_TORCH=OFF); it has only "
      "the fake engine");
#endif
}

}  // namespace sam3
