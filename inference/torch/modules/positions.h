#pragma once

#include "inference/torch/aten.h"

namespace sam3 {

// Sine position encodings (Sam3SinePositionEmbedding), always computed in fp32
// on `device`: in a narrower type the arguments of the sines lose whole
// periods.

// Of the cells of a height x width grid, for `channels` features: sines and
// cosines interleaved, (y, x). Returns [height * width, channels].
at::Tensor SineGrid(int64_t height, int64_t width, int64_t channels,
                    at::Device device);

// Of single coordinates: `x` [...] in units of a full period, `features` per
// coordinate. Returns [..., features].
at::Tensor SineOf(const at::Tensor& x, int64_t features);

}  // namespace sam3
