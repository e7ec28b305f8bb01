#pragma once

#include <cstdint>
#include <string>

#include "inference/torch/aten.h"
#include "inference/torch/weights.h"

namespace sam3 {

// torch.nn.ConvTranspose2d with a 2x2 kernel and stride 2, as one matrix
// product and a shuffle: nothing overlaps, so every input cell makes its own
// four output cells.
struct UpsampleByTwo {
  at::Tensor weight;  // [4 * out, in]
  at::Tensor bias;    // [4 * out]

  static UpsampleByTwo Read(WeightReader& weights, const std::string& name,
                            int64_t in, int64_t out);

  // The same followed by a 1x1 convolution, matrix [out2, out] and bias [out2]:
  // one linear map, as nothing comes between.
  UpsampleByTwo Then(const at::Tensor& matrix, const at::Tensor& offset) const;

  // [N, h, w, in] to [N, 2h, 2w, out].
  at::Tensor operator()(const at::Tensor& x) const;
};

}  // namespace sam3
