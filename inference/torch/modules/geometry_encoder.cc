#include "inference/torch/modules/geometry_encoder.h"

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/modules/roi_align.h"

namespace sam3 {
namespace {

// [K, 4] in fp32 on the host: centre, width and height.
at::Tensor CentredBoxes(absl::Span<const Exemplar> exemplars) {
  at::Tensor boxes =
      at::empty({static_cast<int64_t>(exemplars.size()), 4}, at::kFloat);
  float* out = boxes.mutable_data_ptr<float>();
  for (const Exemplar& exemplar : exemplars) {
    const Box& box = exemplar.box;
    *out++ = (box.x0 + box.x1) / 2;
    *out++ = (box.y0 + box.y1) / 2;
    *out++ = box.x1 - box.x0;
    *out++ = box.y1 - box.y0;
  }
  return boxes;
}

at::Tensor Corners(const at::Tensor& centred) {
  const at::Tensor centre = centred.narrow(1, 0, 2);
  const at::Tensor half = centred.narrow(1, 2, 2) * 0.5;
  return at::cat({centre - half, centre + half}, 1);
}

}  // namespace

GeometryEncoder::Layer::Layer(WeightReader& weights, const std::string& name,
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

GeometryEncoder::GeometryEncoder(WeightReader& weights, const std::string& name,
                                 const ModelConfig& config)
    : hidden_size_(config.geometry.hidden_size),
      roi_size_(config.roi_size),
      label_table_(
          weights.Read(name + ".label_embed.weight", {2, hidden_size_})),
      class_token_(weights.Read(name + ".cls_embed.weight", {1, hidden_size_})),
      direct_(weights, name + ".boxes_direct_project", 4, hidden_size_),
      pool_weight_(
          weights.Read(name + ".boxes_pool_project.weight",
                       {hidden_size_, hidden_size_, roi_size_, roi_size_})),
      pool_bias_(
          weights.Read(name + ".boxes_pool_project.bias", {hidden_size_})),
      position_(weights, name + ".boxes_pos_enc_project", hidden_size_ + 2,
                hidden_size_),
      vision_norm_(weights, name + ".vision_layer_norm", hidden_size_),
      final_(weights, name + ".final_proj", hidden_size_, hidden_size_),
      prompt_norm_(weights, name + ".prompt_layer_norm", hidden_size_),
      output_norm_(weights, name + ".output_layer_norm", hidden_size_) {
  for (int i = 0; i < config.geometry.layer_count; ++i) {
    layers_.emplace_back(weights, absl::StrCat(name, ".layers.", i),
                         config.geometry);
  }
}

at::Tensor GeometryEncoder::operator()(absl::Span<const Exemplar> exemplars,
                                       const at::Tensor& coarse,
                                       const at::Tensor& positions) const {
  at::Tensor tokens = class_token_;
  if (!exemplars.empty()) {
    tokens = at::cat({EmbedBoxes(exemplars, coarse), class_token_});
  }
  at::Tensor x = prompt_norm_(final_(tokens)).unsqueeze(0);
  const at::Tensor picture = coarse.flatten(2).transpose(1, 2);
  const at::Tensor keys = picture + positions;
  for (const Layer& layer : layers_) {
    const at::Tensor hidden = layer.norm1(x);
    x = layer.self_attention(hidden, hidden, hidden) + x;
    x = layer.cross_attention(layer.norm2(x), keys, picture) + x;
    x = layer.feed_forward(layer.norm3(x)) + x;
  }
  return output_norm_(x);
}

at::Tensor GeometryEncoder::EmbedBoxes(absl::Span<const Exemplar> exemplars,
                                       const at::Tensor& coarse) const {
  const auto options = coarse.options();
  const at::Tensor centred = CentredBoxes(exemplars);
  const at::Tensor boxes = centred.to(options);

  const at::Tensor map =
      vision_norm_(coarse.squeeze(0).permute({1, 2, 0})).permute({2, 0, 1});
  const at::Tensor scale = at::tensor(
      {static_cast<float>(map.size(2)), static_cast<float>(map.size(1)),
       static_cast<float>(map.size(2)), static_cast<float>(map.size(1))});
  const at::Tensor pooled =
      RoiAlign(map, Corners(centred) * scale, roi_size_).to(options);

  const at::Tensor sines = SineOf(centred.narrow(1, 0, 2), hidden_size_ / 2);
  const at::Tensor code =
      at::cat({sines.select(1, 1), sines.select(1, 0), centred.narrow(1, 3, 1),
               centred.narrow(1, 2, 1)},
              1)
          .to(options);

  at::Tensor labels =
      at::empty({static_cast<int64_t>(exemplars.size())}, at::kLong);
  for (size_t k = 0; k < exemplars.size(); ++k) {
    labels.mutable_data_ptr<int64_t>()[k] =
        exemplars[k].label == ExemplarLabel::kPositive ? 1 : 0;
  }
  return direct_(boxes) +
         at::conv2d(pooled, pool_weight_, pool_bias_).flatten(1) +
         position_(code) +
         at::embedding(label_table_, labels.to(options.device()));
}

}  // namespace sam3
