#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/engine.h"
#include "inference/tokenizer.h"

namespace sam3 {

// What the embedded model calls itself in logs and GetServerInfo.
inline constexpr absl::string_view kEmbeddedDemoModelName =
    "embedded demo (shapes)";

enum class EngineKind { kTorch, kFake };
enum class DtypeChoice { kAuto, kFp32, kBf16 };

// How a prompt without exemplars is put together: as the reference does for
// that prompt alone, or with the geometry encoder's class token always present,
// as the original authors' code does.
enum class ClassTokenRule { kOnlyWithExemplars, kAlways };

struct EngineOptions {
  EngineKind kind = EngineKind::kTorch;
  // Folder in the Hugging Face layout. Empty = the embedded demo model.
  std::string model_dir = {};
  // "cpu" or "cuda:N".
  std::string device = "cpu";
  // kAuto = bf16 on CUDA, fp32 on the CPU.
  DtypeChoice dtype = DtypeChoice::kAuto;
  ClassTokenRule class_token = ClassTokenRule::kOnlyWithExemplars;
  // Threads for CPU kernels. 0 = one per core.
  int cpu_threads = 0;
};

// A model that is ready to serve: its engine and the tokenizer of the same
// folder.
struct LoadedModel {
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const Tokenizer> tokenizer;
};

// What models run on, for people: "libtorch 2.11.0 without CUDA".
std::string EngineLibrary();

// Loads a model; blocks for as long as the weights take. Errors name the file,
// tensor or field: NOT_FOUND (no such folder or file), INVALID_ARGUMENT (not a
// checkpoint that this program can run, with every missing, extra or misshapen
// tensor), FAILED_PRECONDITION (device or engine not in this build).
absl::StatusOr<LoadedModel> LoadModel(const EngineOptions& options);

}  // namespace sam3
