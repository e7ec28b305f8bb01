#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// What points at one object, as several commands take it.
struct ClickFlags {
  // "x,y" in pixels, ":neg" for what does not belong to the object.
  std::vector<std::string> points;
  // Without multimask: one mask from the start.
  bool single = false;
};

// --point and --single. A box comes from the command's own --box.
void AddClickFlags(CLI::App* app, ClickFlags* flags);

// One object; `boxes` may hold one. INVALID_ARGUMENT tells what cannot be read,
// and when nothing points at anything.
absl::StatusOr<v1::ObjectPrompt> MakeObjectPrompt(
    const ClickFlags& flags, const std::vector<std::string>& boxes);

}  // namespace sam3
