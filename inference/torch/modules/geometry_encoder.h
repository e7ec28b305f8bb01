#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "inference/model_config.h"
#include "inference/prompt.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Turns example boxes into prompt tokens (Sam3GeometryEncoder): each box is the
// sum of a linear map of its numbers, of the features under it, of a sine code
// of its centre and of its label; a learned class token follows; three
// transformer layers look at the picture.
class GeometryEncoder {
 public:
  GeometryEncoder(WeightReader& weights, const std::string& name,
                  const ModelConfig& config);

  // coarse [1, C, grid, grid], positions [grid * grid, C]; boxes may be empty.
  // Returns [1, K + 1, C], the class token last.
  at::Tensor operator()(absl::Span<const Exemplar> exemplars,
                        const at::Tensor& coarse,
                        const at::Tensor& positions) const;

  // The boxes before projection and layers [K, C]; K at least 1.
  at::Tensor EmbedBoxes(absl::Span<const Exemplar> exemplars,
                        const at::Tensor& coarse) const;

 private:
  struct Layer {
    Layer(WeightReader& weights, const std::string& name,
          const StackConfig& config);
    LayerNorm norm1;
    Attention self_attention;
    LayerNorm norm2;
    Attention cross_attention;
    LayerNorm norm3;
    FeedForward feed_forward;
  };

  const int64_t hidden_size_;
  const int64_t roi_size_;
  const at::Tensor label_table_;  // [2, C], negative first
  const at::Tensor class_token_;  // [1, C]
  const Linear direct_;
  const at::Tensor pool_weight_;  // [C, C, roi, roi]
  const at::Tensor pool_bias_;
  const Linear position_;
  const LayerNorm vision_norm_;
  const Linear final_;
  const LayerNorm prompt_norm_;
  std::vector<Layer> layers_;
  const LayerNorm output_norm_;
};

}  // namespace sam3
