#include "pipeline/interpolation.h"

#include <algorithm>
#include <cmath>

namespace sam3 {
namespace {

void BlendPortable(const float* a, float weight_a, const float* b,
                   float weight_b, int count, float* out) {
  for (int i = 0; i < count; ++i) {
    out[i] = std::fma(a[i], weight_a, b[i] * weight_b);
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void BlendFused(const float* __restrict a,
                                                    float weight_a,
                                                    const float* __restrict b,
                                                    float weight_b, int count,
                                                    float* __restrict out) {
  for (int i = 0; i < count; ++i) {
    out[i] = __builtin_fmaf(a[i], weight_a, b[i] * weight_b);
  }
}
#endif

}  // namespace

InterpolationAxis MakeInterpolationAxis(int source_size, int target_size) {
  InterpolationAxis axis;
  const float scale =
      static_cast<float>(source_size) / static_cast<float>(target_size);
  for (int i = 0; i < target_size; ++i) {
    const float centre = std::fma(scale, static_cast<float>(i) + 0.5f, -0.5f);
    const float position = std::max(centre, 0.0f);
    const int low = std::min(static_cast<int>(position), source_size - 1);
    const float fraction =
        std::clamp(position - static_cast<float>(low), 0.0f, 1.0f);
    axis.low.push_back(low);
    axis.high.push_back(std::min(low + 1, source_size - 1));
    axis.weight_low.push_back(1.0f - fraction);
    axis.weight_high.push_back(fraction);
  }
  return axis;
}

void BlendRows(const float* a, float weight_a, const float* b, float weight_b,
               int count, float* out) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2")) {
    return BlendFused(a, weight_a, b, weight_b, count, out);
  }
#endif
  BlendPortable(a, weight_a, b, weight_b, count, out);
}

}  // namespace sam3
