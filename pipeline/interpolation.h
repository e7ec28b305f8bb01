#pragma once

#include <cstdint>
#include <vector>

namespace sam3 {

// One axis of a bilinear resampling (half-pixel centres, no antialias): where
// each output position reads and how it weighs, rounded like libtorch's CPU
// kernel with fused multiply-adds. Pure; any thread.
struct InterpolationAxis {
  std::vector<int> low;   // source index
  std::vector<int> high;  // next source index, or the last one again
  std::vector<float> weight_low;
  std::vector<float> weight_high;
};

InterpolationAxis MakeInterpolationAxis(int source_size, int target_size);

// out[i] = a[i] * weight_a + b[i] * weight_b, the first product fused, in
// vector registers where the processor has fused multiply-adds.
void BlendRows(const float* a, float weight_a, const float* b, float weight_b,
               int count, float* out);

}  // namespace sam3
