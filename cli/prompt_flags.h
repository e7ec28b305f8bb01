#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/connection.h"
#include "inference/engine_factory.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// Flags that several commands share.
struct PromptFlags {
  std::vector<std::string> texts;
  // "x,y,width,height" in pixels from the top left, ":neg" for a
  // counter-example.
  std::vector<std::string> boxes;
  std::optional<float> threshold;
  std::optional<float> nms;
  std::string mask = "rle";
  int max_instances = 0;
  bool allow_truncation = false;
};

// --api-key-file, --tls and their like.
void AddSecurityFlags(CLI::App* app, ConnectionOptions* options);
// Those, and where the server is.
void AddConnectionFlags(CLI::App* app, ConnectionOptions* options);
// --device and --dtype, for commands that need no service.
void AddEngineFlags(CLI::App* app, EngineOptions* engine);
void AddPromptFlags(CLI::App* app, PromptFlags* flags);

// One prompt per text; the boxes belong to every text, and to the word "visual"
// when there is none. INVALID_ARGUMENT for a box that cannot be read.
absl::StatusOr<std::vector<v1::ConceptPrompt>> MakePrompts(
    const PromptFlags& flags);

// "x,y,width,height[:neg]".
absl::StatusOr<v1::Exemplar> ParseBox(absl::string_view text);

absl::StatusOr<v1::MaskOptions> MakeMaskOptions(const std::string& name);

// What to write on a prompt's instances.
std::vector<std::string> MakeLabels(const PromptFlags& flags);

absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace sam3
