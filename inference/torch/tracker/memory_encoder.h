#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// A frame's features and an object's mask as something to remember
// (Sam3TrackerVideoMemoryEncoder). Immutable after construction; called on the
// engine's thread, inside GuardTorch.
class MemoryEncoder {
 public:
  MemoryEncoder(WeightReader& weights, const std::string& name,
                const ModelConfig& config);

  // features [1 or N, grid * grid, C], as the neck leaves them; masks
  // [N, 1, 16 * grid, 16 * grid], scaled as the memory wants them. Returns
  // [N, grid * grid, memory_channels].
  at::Tensor operator()(const at::Tensor& features,
                        const at::Tensor& masks) const;

  // The side of the masks it takes, pixels.
  int64_t mask_side() const { return kShrink * grid_; }

 private:
  static constexpr int64_t kShrink = 16;

  struct Convolution {
    at::Tensor weight;
    at::Tensor bias;
  };
  struct MaskStage {
    Convolution convolution;
    LayerNorm norm;
  };
  // One block of the fuser (Sam3TrackerVideoMemoryFuserCXBlock).
  struct FuserBlock {
    Convolution depthwise;
    LayerNorm norm;
    Linear widen;
    Linear narrow;
    at::Tensor scale;  // [C]
  };

  at::Tensor Shrink(const at::Tensor& masks) const;
  at::Tensor Fuse(const FuserBlock& block, const at::Tensor& x) const;

  const int64_t grid_;
  const int64_t fuser_padding_;
  const Activation mask_activation_;
  const Activation fuser_activation_;
  std::vector<MaskStage> mask_stages_;
  Convolution mask_projection_;  // 1x1, as a matrix
  Convolution feature_projection_;
  std::vector<FuserBlock> fuser_;
  Convolution projection_;
};

}  // namespace sam3
