#pragma once

#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// What the decoder says about one batch of pairs.
struct DecoderOutput {
  at::Tensor queries;   // [N, Q, C], after the output norm
  at::Tensor boxes;     // [N, Q, 4], fp32, cxcywh in fractions
  at::Tensor presence;  // [N], fp32, logit, clamped to +-10
};

// Intermediate values of every layer, for comparison with the reference.
struct DecoderTrace {
  std::vector<at::Tensor> queries;   // [N, Q, C], after the output norm
  std::vector<at::Tensor> boxes;     // boxes entering the layer
  std::vector<at::Tensor> box_bias;  // [N, H, Q, T]
  std::vector<at::Tensor> presence;  // [N]
};

// Finds instances (Sam3DetrDecoder): queries and one presence token attend to
// each other, to the prompt and to the picture, the latter with a bias for
// where a cell lies relative to the query's current box; boxes are refined
// after every layer. Boxes and biases are computed in fp32.
class DetrDecoder {
 public:
  DetrDecoder(WeightReader& weights, const std::string& name,
              const ModelConfig& config);

  // encoded [N, T, C], positions [T, C], prompt [N, S, C], mask as for the
  // encoder.
  DecoderOutput operator()(const at::Tensor& encoded,
                           const at::Tensor& positions,
                           const at::Tensor& prompt, const at::Tensor& mask,
                           DecoderTrace* trace = nullptr) const;

 private:
  struct Layer {
    Layer(WeightReader& weights, const std::string& name,
          const StackConfig& config);
    Attention self_attention;
    LayerNorm self_norm;
    Attention prompt_attention;
    LayerNorm prompt_norm;
    Attention picture_attention;
    LayerNorm picture_norm;
    FeedForward feed_forward;
    LayerNorm feed_forward_norm;
  };

  // [N, Q, C] for boxes [N, Q, 4].
  at::Tensor QueryPositions(const at::Tensor& boxes) const;
  // Additive bias [N, H, 1 + Q, T]; zero for the presence token.
  at::Tensor BoxBias(const at::Tensor& boxes) const;

  const int64_t hidden_size_;
  const int64_t grid_;
  std::vector<Layer> layers_;
  const LayerNorm output_norm_;
  const ReluMlp box_head_;
  const at::Tensor query_table_;       // [Q, C]
  const at::Tensor reference_points_;  // [Q, 4], fp32, logits
  const at::Tensor presence_token_;    // [1, C]
  const ReluMlp presence_head_;
  const LayerNorm presence_norm_;
  const ReluMlp reference_head_;
  const ReluMlp bias_x_;
  const ReluMlp bias_y_;
};

}  // namespace sam3
