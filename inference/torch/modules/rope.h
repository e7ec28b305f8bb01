#pragma once

#include "inference/torch/aten.h"

namespace sam3 {

// Axial rotary position embedding of the vision transformer
// (Sam3ViTRotaryEmbedding): neighbouring channels form a pair that is turned by
// an angle; the first half of a head's channels turns with x, the second with
// y.

// Angles of a side x side grid in row-major order, coordinates multiplied by
// `scale`. Returns cosines and sines, fp32, [side * side, head_size / 2, 2].
at::Tensor RotaryTable(int64_t side, double scale, int64_t head_size,
                       double theta, at::Device device);

// Turns `x` [N, T, H * head_size] (contiguous, any float type) in place by
// `table` [T, head_size / 2, 2]; the arithmetic is fp32.
void RotateInPlace(at::Tensor& x, const at::Tensor& table);

// The same for the first `count` tokens of each of the N items, the table over
// and over; the others stay as they are.
void RotateFirstInPlace(at::Tensor& x, const at::Tensor& table, int64_t count);

}  // namespace sam3
