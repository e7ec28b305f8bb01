#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Linears with ReLU between, as the tracker's modules name them
// (Sam3TrackerFeedForward): proj_in, layers.N, proj_out.
class ProjectedMlp {
 public:
  // `depth` counts all Linears; at least 2.
  ProjectedMlp(WeightReader& weights, const std::string& name, int64_t in,
               int64_t hidden, int64_t out, int depth);
  // [..., in] to [..., out].
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::vector<Linear> layers_;
};

// Prompt tokens and picture tokens that look at each other in turns
// (Sam3TrackerTwoWayTransformer).
class TwoWayTransformer {
 public:
  struct Output {
    at::Tensor tokens;   // [N, T, C]
    at::Tensor picture;  // [N, S, C]
  };

  TwoWayTransformer(WeightReader& weights, const std::string& name,
                    const ModelConfig& config);

  // tokens [N, T, C], which are their own positions; picture [N, S, C] with
  // positions [S, C].
  Output operator()(const at::Tensor& tokens, const at::Tensor& picture,
                    const at::Tensor& positions) const;

 private:
  class Block {
   public:
    Block(WeightReader& weights, const std::string& name,
          const ModelConfig& config, bool first);
    void Apply(const at::Tensor& token_positions,
               const at::Tensor& picture_positions, Output* state) const;

   private:
    const bool first_;
    const Attention self_attention_;
    const LayerNorm norm1_;
    const Attention token_to_picture_;
    const LayerNorm norm2_;
    const ProjectedMlp mlp_;
    const LayerNorm norm3_;
    const LayerNorm norm4_;
    const Attention picture_to_token_;
  };

  std::vector<Block> blocks_;
  const Attention final_attention_;
  const LayerNorm final_norm_;
};

}  // namespace sam3
