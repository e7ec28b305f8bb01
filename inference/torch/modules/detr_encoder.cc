#include "inference/torch/modules/detr_encoder.h"

#include "absl/strings/str_cat.h"

namespace sam3 {

DetrEncoder::Layer::Layer(WeightReader& weights, const std::string& name,
                          const StackConfig& config)
    : norm1(weights, name + ".layer_norm1", config.hidden_size),
      self_attention(weights, name + ".self_attn", config.hidden_size,
                     config.head_count),
      norm2(weights, name + ".layer_norm2", config.hidden_size),
      cross_attention(weights, name + ".cross_attn", config.hidden_size,
                      config.head_count),
      norm3(weights, name + ".layer_norm3", config.hidden_size),
      feed_forward(weights, name + ".mlp", config.hidden_size,
                   config.intermediate_size, config.activation) {}

at::Tensor DetrEncoder::Layer::AttendToPicture(
    const at::Tensor& x, const at::Tensor& positions) const {
  const at::Tensor hidden = norm1(x);
  const at::Tensor placed = hidden + positions;
  return self_attention(placed, placed, hidden).add_(x);
}

DetrEncoder::DetrEncoder(WeightReader& weights, const std::string& name,
                         const StackConfig& config) {
  for (int i = 0; i < config.layer_count; ++i) {
    layers_.emplace_back(weights, absl::StrCat(name, ".layers.", i), config);
  }
}

at::Tensor DetrEncoder::Prepare(const at::Tensor& coarse,
                                const at::Tensor& positions) const {
  return layers_.front().AttendToPicture(coarse, positions);
}

at::Tensor DetrEncoder::operator()(const at::Tensor& prepared,
                                   const at::Tensor& positions,
                                   const at::Tensor& prompt,
                                   const at::Tensor& mask,
                                   std::vector<at::Tensor>* layers) const {
  at::Tensor x = prepared;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (i > 0) x = layer.AttendToPicture(x, positions);
    x = layer.cross_attention(layer.norm2(x), prompt, prompt, mask).add_(x);
    x = layer.feed_forward(layer.norm3(x)).add_(x);
    if (layers != nullptr) layers->push_back(x);
  }
  return x;
}

}  // namespace sam3
