#include "inference/torch/modules/positions.h"

#include <cmath>

namespace sam3 {
namespace {

constexpr double kTemperature = 10000.0;
constexpr double kTwoPi = 6.283185307179586;

// Divides `angles` [...] by the reference's frequencies and interleaves sines
// and cosines: [..., features].
at::Tensor Interleave(const at::Tensor& angles, int64_t features) {
  const at::Tensor pair =
      at::arange(features / 2, angles.options().dtype(at::kFloat));
  const at::Tensor period = at::pow(kTemperature, 2 * pair / features);
  const at::Tensor scaled = angles.unsqueeze(-1) / period;
  return at::stack({scaled.sin(), scaled.cos()}, -1).flatten(-2);
}

}  // namespace

at::Tensor SineGrid(int64_t height, int64_t width, int64_t channels,
                    at::Device device) {
  const auto options = at::TensorOptions().device(device).dtype(at::kFloat);
  const auto encode = [&](int64_t count) {
    const at::Tensor cell = at::arange(1, count + 1, options);
    return Interleave(cell / (static_cast<double>(count) + 1e-6) * kTwoPi,
                      channels / 2);
  };
  const at::Tensor y = encode(height).unsqueeze(1).expand({-1, width, -1});
  const at::Tensor x = encode(width).unsqueeze(0).expand({height, -1, -1});
  return at::cat({y, x}, -1).flatten(0, 1);
}

at::Tensor SineOf(const at::Tensor& x, int64_t features) {
  return Interleave(x.to(at::kFloat) * kTwoPi, features);
}

}  // namespace sam3
