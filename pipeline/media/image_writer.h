#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/image.h"

namespace sam3 {

// Picture files made in memory. Pure; block for as long as encoding takes; any
// thread. INVALID_ARGUMENT for an empty image, a wrong buffer size or a side
// beyond the format; RESOURCE_EXHAUSTED when there is no memory.

// 8-bit RGB, lossless.
absl::StatusOr<std::string> EncodePng(const Image& image);

// 8-bit grey, lossless. `pixels` holds width * height bytes, row-major. Also
// for masks: 0 and 255.
absl::StatusOr<std::string> EncodeGreyPng(absl::Span<const uint8_t> pixels,
                                          int width, int height);

// Baseline JPEG with chroma at half resolution; `quality` is 1..100.
absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality);

}  // namespace sam3
