#include "inference/torch/modules/mask_head.h"

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr int64_t kNormGroups = 8;

}  // namespace

MaskHead::MaskHead(WeightReader& weights, const std::string& name,
                   const ModelConfig& config)
    : prompt_attention_(weights, name + ".prompt_cross_attn",
                        config.hidden_size(), config.mask_head_count),
      prompt_norm_(weights, name + ".prompt_cross_attn_norm",
                   config.hidden_size()),
      embedder_{Linear(weights, name + ".mask_embedder.layers.0",
                       config.hidden_size(), config.hidden_size()),
                Linear(weights, name + ".mask_embedder.layers.1",
                       config.hidden_size(), config.hidden_size()),
                Linear(weights, name + ".mask_embedder.layers.2",
                       config.hidden_size(), config.hidden_size())},
      instance_weight_(
          weights
              .Read(name + ".instance_projection.weight",
                    {config.hidden_size(), config.hidden_size(), 1, 1})
              .flatten(1)),
      instance_bias_(weights.Read(name + ".instance_projection.bias",
                                  {config.hidden_size()})),
      semantic_weight_(weights
                           .Read(name + ".semantic_projection.weight",
                                 {1, config.hidden_size(), 1, 1})
                           .flatten(1)),
      semantic_bias_(weights.Read(name + ".semantic_projection.bias", {1})) {
  const int64_t size = config.hidden_size();
  for (int i = 0; i < config.mask_stage_count; ++i) {
    const std::string conv =
        absl::StrCat(name, ".pixel_decoder.conv_layers.", i);
    const std::string norm = absl::StrCat(name, ".pixel_decoder.norms.", i);
    if (i >= static_cast<int>(stages_.size())) {
      // The pyramid has two steps; the checkpoint stores more.
      for (const std::string& part : {conv, norm}) {
        weights.Skip(part + ".weight");
        weights.Skip(part + ".bias");
      }
      continue;
    }
    stages_[i] = {weights.Read(conv + ".weight", {size, size, 3, 3})
                      .contiguous(at::MemoryFormat::ChannelsLast),
                  weights.Read(conv + ".bias", {size}),
                  weights.Read(norm + ".weight", {size}),
                  weights.Read(norm + ".bias", {size})};
  }
}

at::Tensor MaskHead::PixelEmbeddings(const at::Tensor& encoded,
                                     const at::Tensor& prompt,
                                     const at::Tensor& mask,
                                     const FeaturePyramid& pyramid) const {
  const at::Tensor fused =
      prompt_attention_(prompt_norm_(encoded), prompt, prompt, mask)
          .add_(encoded);
  const int64_t grid = pyramid.coarse.size(-1);
  at::Tensor x =
      fused.view({-1, grid, grid, fused.size(-1)}).permute({0, 3, 1, 2});
  const std::array<at::Tensor, 2> levels = {pyramid.middle, pyramid.fine};
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = stages_[i];
    x = at::upsample_nearest2d(x, levels[i].sizes().slice(2)).add_(levels[i]);
    x = at::conv2d(x, stage.weight, stage.bias, {1, 1}, {1, 1});
    x = at::group_norm(x, kNormGroups, stage.norm_weight, stage.norm_bias);
    at::relu_(x);
  }
  return x;
}

at::Tensor MaskHead::Masks(const at::Tensor& pixels,
                           const at::Tensor& queries) const {
  at::Tensor embedding = queries;
  for (size_t i = 0; i < embedder_.size(); ++i) {
    embedding = embedder_[i](embedding);
    if (i + 1 < embedder_.size()) at::relu_(embedding);
  }
  // The reference projects every pixel and then takes the dot product; turning
  // the projection onto the few queries instead is the same sum.
  const at::Tensor turned = at::matmul(embedding, instance_weight_);
  const at::Tensor offset = at::matmul(embedding, instance_bias_);
  return at::addmm(offset.unsqueeze(1), turned, pixels.flatten(1))
      .to(at::kFloat)
      .view({-1, pixels.size(1), pixels.size(2)});
}

at::Tensor MaskHead::Semantic(const at::Tensor& pixels) const {
  return at::addmm(semantic_bias_.unsqueeze(1), semantic_weight_,
                   pixels.flatten(1))
      .to(at::kFloat)
      .view({pixels.size(1), pixels.size(2)});
}

}  // namespace sam3
