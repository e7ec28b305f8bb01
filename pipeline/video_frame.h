#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "inference/image.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// One decoded frame of a stream, with the prompts that hold for it. A cheap
// value; pixels and prompts are shared.
struct VideoFrame {
  int64_t index = 0;
  Image image;
  absl::Duration start_offset;
  std::optional<absl::Time> capture_time;
  std::shared_ptr<const std::vector<ConceptPrompt>> prompts;
  absl::Time arrived;
  absl::Duration decode;
};

}  // namespace sam3
