#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/image.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// A picture with what was found drawn on it: masks tinted with an outline,
// boxes, labels with scores, and the clicks that asked for it (green on the
// object, red beside it). One colour per prompt, or per followed object, which
// has its number on its label; readable on any picture size. Pure; any thread.
// INVALID_ARGUMENT for a mask that does not fit.
absl::StatusOr<Image> DrawOverlay(const Image& picture,
                                  const std::vector<v1::PromptResult>& results,
                                  const std::vector<std::string>& labels,
                                  const std::vector<v1::Point>& clicks = {});

// Writes a .png or .jpg file, by the name's ending.
absl::Status WritePicture(const Image& image, const std::string& path);

}  // namespace sam3
