#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// The tracker's networks (Sam3TrackerFeedForward): Linears with ReLU between,
// named proj_in, layers.N and proj_out. `depth` counts all; at least 2.
ReluMlp ReadProjectedMlp(WeightReader& weights, const std::string& name,
                         int64_t in, int64_t hidden, int64_t out, int depth);

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
    const ReluMlp mlp_;
    const LayerNorm norm3_;
    const LayerNorm norm4_;
    const Attention picture_to_token_;
  };

  std::vector<Block> blocks_;
  const Attention final_attention_;
  const LayerNorm final_norm_;
};

}  // namespace sam3
