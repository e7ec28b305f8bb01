#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "inference/base/status_macros.h"
#include "pipeline/interpolation.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

constexpr float kLargestLogit = 16.0f;

float LogitOf(float probability) {
  const float logit = std::log(probability) - std::log1p(-probability);
  return std::clamp(logit, -kLargestLogit, kLargestLogit);
}

}  // namespace

LogitsMask LogitsFromLowRes(const LowResMask& mask, int width, int height) {
  static_assert(std::endian::native == std::endian::little);
  SAM3_CHECK(!mask.empty());
  const bool probabilities = mask.threshold != 0.0f;
  const InterpolationAxis across = MakeInterpolationAxis(mask.width, width);
  const InterpolationAxis down = MakeInterpolationAxis(mask.height, height);
  // Across first, as for runs, so that both agree to the last bit.
  const auto stride = static_cast<size_t>(width);
  std::vector<float> wide(stride * static_cast<size_t>(mask.height));
  for (int y = 0; y < mask.height; ++y) {
    const float* source =
        mask.values.data() + static_cast<size_t>(y) * mask.width;
    float* target = wide.data() + static_cast<size_t>(y) * stride;
    for (int x = 0; x < width; ++x) {
      target[x] = std::fma(source[across.low[x]], across.weight_low[x],
                           source[across.high[x]] * across.weight_high[x]);
    }
  }
  LogitsMask out{width, height, {}};
  out.bytes.resize(stride * static_cast<size_t>(height) * sizeof(float));
  std::vector<float> row(stride);
  for (int y = 0; y < height; ++y) {
    BlendRows(wide.data() + static_cast<size_t>(down.low[y]) * stride,
              down.weight_low[y],
              wide.data() + static_cast<size_t>(down.high[y]) * stride,
              down.weight_high[y], width, row.data());
    if (probabilities)
      std::transform(row.begin(), row.end(), row.begin(), LogitOf);
    std::copy_n(
        reinterpret_cast<const char*>(row.data()), stride * sizeof(float),
        out.bytes.data() + static_cast<size_t>(y) * stride * sizeof(float));
  }
  return out;
}

}  // namespace sam3
