#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/upsample.h"
#include "inference/torch/weights.h"

namespace sam3 {

// The three levels of the feature pyramid that the detector reads, finest
// first: sides 4, 2 and 1 times the grid. Each [N, C, side, side] in
// channels-last memory.
struct FeaturePyramid {
  at::Tensor fine;
  at::Tensor middle;
  at::Tensor coarse;
};

// A neck (Sam3VisionNeck); the detector and the tracker have one each. The
// half-size level, which nobody reads, is not computed. Linear maps without
// anything between are folded at construction: a transposed convolution with
// the 1x1 projection behind it, and the tails with the convolution before them.
class Neck {
 public:
  // 1x1 convolutions that narrow the two finer levels for their reader.
  struct Tails {
    std::string fine;  // names
    std::string middle;
    int64_t fine_width = 0;
    int64_t middle_width = 0;
  };

  Neck(WeightReader& weights, const std::string& name,
       const ModelConfig& config);
  Neck(WeightReader& weights, const std::string& name,
       const ModelConfig& config, const Tails& tails);

  // hidden [N, grid, grid, C_vit], the transformer's output.
  FeaturePyramid operator()(const at::Tensor& hidden) const;

 private:
  struct Projection {
    at::Tensor weight;
    at::Tensor bias;
  };

  // `conv` followed by the 1x1 convolution `tail`.
  static Projection Fold(const Projection& conv, const Projection& tail);
  at::Tensor Smooth(const at::Tensor& x, const Projection& conv) const;

  UpsampleByTwo fine_first_;
  UpsampleByTwo fine_second_;
  UpsampleByTwo middle_;
  Projection coarse_;
  std::array<Projection, 3> smooth_;
};

}  // namespace sam3
