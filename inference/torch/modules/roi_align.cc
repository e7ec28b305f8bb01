#include "inference/torch/modules/roi_align.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sam3 {
namespace {

// Weights of the cells of one axis in each of `size` bins: [size, cells].
// Samples outside the map by more than a cell count as zero.
at::Tensor AxisWeights(float begin, float end, int64_t size, int64_t cells) {
  at::Tensor weights = at::zeros({size, cells}, at::kFloat);
  auto rows = weights.accessor<float, 2>();
  const float length = std::max(end - begin, 1.0f);
  const float bin = length / static_cast<float>(size);
  const auto samples =
      static_cast<int64_t>(std::ceil(length / static_cast<float>(size)));
  const float share = 1.0f / static_cast<float>(std::max<int64_t>(samples, 1));
  for (int64_t b = 0; b < size; ++b) {
    for (int64_t s = 0; s < samples; ++s) {
      float at =
          begin + static_cast<float>(b) * bin +
          (static_cast<float>(s) + 0.5f) * bin / static_cast<float>(samples);
      if (at < -1.0f || at > static_cast<float>(cells)) continue;
      at = std::max(at, 0.0f);
      const auto low = static_cast<int64_t>(at);
      if (low >= cells - 1) {
        rows[b][cells - 1] += share;
        continue;
      }
      const float fraction = at - static_cast<float>(low);
      rows[b][low] += (1.0f - fraction) * share;
      rows[b][low + 1] += fraction * share;
    }
  }
  return weights;
}

}  // namespace

at::Tensor RoiAlign(const at::Tensor& features, const at::Tensor& boxes,
                    int64_t size) {
  const at::Tensor map = features.to(at::kFloat);
  std::vector<at::Tensor> pooled;
  const auto corners = boxes.accessor<float, 2>();
  for (int64_t k = 0; k < boxes.size(0); ++k) {
    const at::Tensor x =
        AxisWeights(corners[k][0], corners[k][2], size, map.size(2))
            .to(map.device());
    const at::Tensor y =
        AxisWeights(corners[k][1], corners[k][3], size, map.size(1))
            .to(map.device());
    pooled.push_back(at::matmul(at::matmul(y, map), x.t()));
  }
  return at::stack(pooled);
}

}  // namespace sam3
