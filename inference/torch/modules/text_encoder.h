#pragma once

#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// CLIP's text transformer and the projection to the detector's width
// (CLIPTextModelWithProjection.text_model, Sam3Model.text_projection). The
// attention is causal, so tokens after the end token change nothing and are not
// computed.
class TextEncoder {
 public:
  // Reads "<name>.text_model…" and "text_projection".
  TextEncoder(WeightReader& weights, const std::string& name,
              const ModelConfig& config);

  // ids [N, T] int64, T at most 32, longer texts than a row's own are ignored
  // by the caller. Returns prompt features [N, T, C].
  at::Tensor operator()(const at::Tensor& ids) const;

  // The hidden states before the projection [N, T, C_text].
  at::Tensor Hidden(const at::Tensor& ids) const;

 private:
  struct Block {
    Block(WeightReader& weights, const std::string& name,
          const TextConfig& config);
    LayerNorm norm1;
    Attention attention;
    LayerNorm norm2;
    FeedForward feed_forward;
  };

  const at::Tensor token_table_;     // [vocabulary, C_text]
  const at::Tensor position_table_;  // [positions, C_text]
  std::vector<Block> blocks_;
  const LayerNorm final_norm_;
  const Linear projection_;
};

}  // namespace sam3
