#include "inference/torch/tracker/memory_encoder.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr int64_t kMaskStages = 4;
// Of the reference's own class of norms over channels.
constexpr double kChannelNormEps = 1e-6;

at::Tensor ToChannelsLast(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1});
}
at::Tensor ToChannelsFirst(const at::Tensor& x) {
  return x.permute({0, 3, 1, 2});
}

}  // namespace

MemoryEncoder::MemoryEncoder(WeightReader& weights, const std::string& name,
                             const ModelConfig& config)
    : grid_(config.vit.grid()),
      fuser_padding_(config.tracker->fuser_kernel_size / 2),
      mask_activation_(config.tracker->mask_activation),
      fuser_activation_(config.tracker->fuser_activation) {
  const int64_t hidden = config.hidden_size();
  const auto read = [&](const std::string& part,
                        const std::vector<int64_t>& shape) {
    return Convolution{weights.Read(name + part + ".weight", shape),
                       weights.Read(name + part + ".bias", {shape[0]})};
  };
  const auto read_matrix = [&](const std::string& part, int64_t in,
                               int64_t out) {
    Convolution matrix = read(part, {out, in, 1, 1});
    matrix.weight = matrix.weight.flatten(1);
    return matrix;
  };
  int64_t channels = 1;
  for (int64_t i = 0; i < kMaskStages; ++i) {
    const std::string stage = absl::StrCat(".mask_downsampler.layers.", i);
    mask_stages_.push_back(
        {read(stage + ".conv", {channels * 4, channels, 3, 3}),
         LayerNorm(weights, name + stage + ".layer_norm", channels * 4,
                   kChannelNormEps)});
    channels *= 4;
  }
  mask_projection_ =
      read_matrix(".mask_downsampler.final_conv", channels, hidden);
  feature_projection_ = read_matrix(".feature_projection", hidden, hidden);
  const int64_t kernel = config.tracker->fuser_kernel_size;
  const int64_t inner = config.tracker->fuser_intermediate_size;
  for (int i = 0; i < config.tracker->fuser_layer_count; ++i) {
    const std::string block = absl::StrCat(".memory_fuser.layers.", i);
    fuser_.push_back(
        {read(block + ".depthwise_conv", {hidden, 1, kernel, kernel}),
         LayerNorm(weights, name + block + ".layer_norm", hidden,
                   kChannelNormEps),
         Linear(weights, name + block + ".pointwise_conv1", hidden, inner),
         Linear(weights, name + block + ".pointwise_conv2", inner, hidden),
         weights.Read(name + block + ".scale", {hidden})});
  }
  projection_ =
      read_matrix(".projection", hidden, config.tracker->memory_channels);
}

at::Tensor MemoryEncoder::operator()(const at::Tensor& features,
                                     const at::Tensor& masks) const {
  at::Tensor x = Shrink(masks.to(feature_projection_.weight.scalar_type()))
                     .add_(at::linear(features, feature_projection_.weight,
                                      feature_projection_.bias)
                               .view({features.size(0), grid_, grid_, -1}));
  for (const FuserBlock& block : fuser_) x = Fuse(block, x);
  return at::linear(x, projection_.weight, projection_.bias).flatten(1, 2);
}

at::Tensor MemoryEncoder::Shrink(const at::Tensor& masks) const {
  at::Tensor x = masks;
  for (const MaskStage& stage : mask_stages_) {
    x = at::conv2d(x, stage.convolution.weight, stage.convolution.bias, {2, 2},
                   {1, 1});
    x = Activate(x.is_cuda() ? stage.norm.OverChannels(x)
                             : ToChannelsFirst(stage.norm(ToChannelsLast(x))),
                 mask_activation_);
  }
  return at::linear(ToChannelsLast(x), mask_projection_.weight,
                    mask_projection_.bias);
}

at::Tensor MemoryEncoder::Fuse(const FuserBlock& block,
                               const at::Tensor& x) const {
  const at::Tensor spread = ToChannelsLast(at::conv2d(
      ToChannelsFirst(x), block.depthwise.weight, block.depthwise.bias, {1, 1},
      {fuser_padding_, fuser_padding_}, {1, 1}, x.size(-1)));
  return block
      .narrow(Activate(block.widen(block.norm(spread)), fuser_activation_))
      .mul_(block.scale)
      .add_(x);
}

}  // namespace sam3
