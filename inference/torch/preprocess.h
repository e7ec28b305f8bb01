#pragma once

#include "absl/types/span.h"
#include "inference/image.h"
#include "inference/torch/aten.h"

namespace sam3 {

// Pictures as the model wants them (Sam3ImageProcessor): stretched to a square
// with antialiased bilinear filtering on 8-bit values, then scaled to -1..1.
// The resampling runs on the host, where its rounding equals the reference's.
// Returns [N, 3, side, side] on `device`.
at::Tensor Preprocess(absl::Span<const Image> images, int64_t side,
                      at::Device device, at::ScalarType dtype);

}  // namespace sam3
