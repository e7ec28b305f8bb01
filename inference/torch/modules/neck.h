#pragma once

#include <array>
#include <string>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
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

// The detector's neck (Sam3VisionNeck). The half-size level, which nobody
// reads, is not computed. A transposed convolution followed by the 1x1
// projection is one linear map without anything between, so the two are folded
// at construction.
class Neck {
 public:
  Neck(WeightReader& weights, const std::string& name,
       const ModelConfig& config);

  // hidden [N, grid, grid, C_vit], the transformer's output.
  FeaturePyramid operator()(const at::Tensor& hidden) const;

 private:
  // A 2x2 transposed convolution of stride 2 as one matrix product and a
  // shuffle: weight [4 * out, in], bias [4 * out].
  struct Upsample {
    at::Tensor weight;
    at::Tensor bias;
    // [N, h, w, in] to [N, 2h, 2w, out].
    at::Tensor operator()(const at::Tensor& x) const;
  };
  struct Projection {
    at::Tensor weight;
    at::Tensor bias;
  };

  static Upsample ReadUpsample(WeightReader& weights, const std::string& name,
                               int64_t in, int64_t out);
  // `up` followed by the 1x1 convolution `projection`.
  static Upsample Fold(const Upsample& up, const Projection& projection);
  at::Tensor Smooth(const at::Tensor& x, const Projection& conv) const;

  Upsample fine_first_;
  Upsample fine_second_;
  Upsample middle_;
  Projection coarse_;
  std::array<Projection, 3> smooth_;
};

}  // namespace sam3
