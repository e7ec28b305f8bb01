#pragma once

#include <array>
#include <string>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/modules/neck.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Masks (Sam3MaskDecoder): the encoder's output, after one more look at the
// prompt, replaces the coarsest pyramid level; two upsampling steps give pixel
// embeddings, whose dot product with a query's embedding is its mask.
class MaskHead {
 public:
  MaskHead(WeightReader& weights, const std::string& name,
           const ModelConfig& config);

  // encoded [N, grid * grid, C], prompt [N, S, C], mask as for the encoder,
  // pyramid with N pictures. Returns [N, C, 4 * grid, 4 * grid].
  at::Tensor PixelEmbeddings(const at::Tensor& encoded,
                             const at::Tensor& prompt, const at::Tensor& mask,
                             const FeaturePyramid& pyramid) const;

  // pixels [C, h, w] of one pair, queries [K, C]. Returns logits [K, h, w],
  // fp32.
  at::Tensor Masks(const at::Tensor& pixels, const at::Tensor& queries) const;

  // pixels [C, h, w]. Returns the semantic logits [h, w], fp32.
  at::Tensor Semantic(const at::Tensor& pixels) const;

 private:
  struct Stage {
    at::Tensor weight;
    at::Tensor bias;
    at::Tensor norm_weight;
    at::Tensor norm_bias;
  };

  const Attention prompt_attention_;
  const LayerNorm prompt_norm_;
  std::array<Stage, 2> stages_;
  std::array<Linear, 3> embedder_;
  const at::Tensor instance_weight_;  // [C, C]
  const at::Tensor instance_bias_;
  const at::Tensor semantic_weight_;  // [1, C]
  const at::Tensor semantic_bias_;
};

}  // namespace sam3
