#pragma once

#include "absl/strings/string_view.h"

namespace sam3 {

// The demo model's folder, linked into the program. The bytes live as long as
// the program does; any thread.
struct EmbeddedModel {
  absl::string_view config_json;
  absl::string_view vocab_json;
  absl::string_view merges_txt;
  absl::string_view safetensors;
};

EmbeddedModel GetEmbeddedDemoModel();

}  // namespace sam3
