#pragma once

#include <string>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// How well each query fits the prompt (Sam3DotProductScoring): dot product of
// the query with the mean of all prompt tokens, text and geometry alike.
class Scorer {
 public:
  Scorer(WeightReader& weights, const std::string& name,
         const ModelConfig& config);

  // queries [N, Q, C], prompt [N, S, C], valid [N, S] with 1 for tokens that
  // count. Returns logits [N, Q], fp32, clamped to +-12.
  at::Tensor operator()(const at::Tensor& queries, const at::Tensor& prompt,
                        const at::Tensor& valid) const;

 private:
  const double scale_;
  const ReluMlp prompt_mlp_;
  const LayerNorm prompt_norm_;
  const Linear prompt_projection_;
  const Linear query_projection_;
};

}  // namespace sam3
