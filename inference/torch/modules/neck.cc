#include "inference/torch/modules/neck.h"

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/layers.h"

namespace sam3 {

Neck::Neck(WeightReader& weights, const std::string& name,
           const ModelConfig& config) {
  const int64_t in = config.vit.hidden_size;
  const int64_t out = config.hidden_size();
  const auto level = [&name](int index, const std::string& part) {
    return absl::StrCat(name, ".fpn_layers.", index, ".", part);
  };
  const auto project = [&](int index, int64_t channels) {
    return Projection{
        weights.Read(level(index, "proj1.weight"), {out, channels, 1, 1}),
        weights.Read(level(index, "proj1.bias"), {out})};
  };
  fine_first_ = ReadUpsample(weights, level(0, "scale_layers.0"), in, in / 2);
  fine_second_ =
      Fold(ReadUpsample(weights, level(0, "scale_layers.2"), in / 2, in / 4),
           project(0, in / 4));
  middle_ = Fold(ReadUpsample(weights, level(1, "scale_layers.0"), in, in / 2),
                 project(1, in / 2));
  coarse_ = project(2, in);
  coarse_.weight = coarse_.weight.flatten(1);
  for (int i = 0; i < 3; ++i) {
    smooth_[i] = {weights.Read(level(i, "proj2.weight"), {out, out, 3, 3})
                      .contiguous(at::MemoryFormat::ChannelsLast),
                  weights.Read(level(i, "proj2.bias"), {out})};
  }
  for (const char* part :
       {"proj1.weight", "proj1.bias", "proj2.weight", "proj2.bias"}) {
    weights.Skip(level(3, part));
  }
}

FeaturePyramid Neck::operator()(const at::Tensor& hidden) const {
  const at::Tensor fine =
      fine_second_(Activate(fine_first_(hidden), Activation::kGelu));
  const at::Tensor coarse = at::linear(hidden, coarse_.weight, coarse_.bias);
  return {Smooth(fine, smooth_[0]), Smooth(middle_(hidden), smooth_[1]),
          Smooth(coarse, smooth_[2])};
}

at::Tensor Neck::Upsample::operator()(const at::Tensor& x) const {
  const int64_t count = x.size(0);
  const int64_t height = x.size(1);
  const int64_t width = x.size(2);
  return at::linear(x, weight, bias)
      .view({count, height, width, 2, 2, -1})
      .transpose(2, 3)
      .reshape({count, 2 * height, 2 * width, -1});
}

Neck::Upsample Neck::ReadUpsample(WeightReader& weights,
                                  const std::string& name, int64_t in,
                                  int64_t out) {
  const at::Tensor weight = weights.Read(name + ".weight", {in, out, 2, 2});
  const at::Tensor bias = weights.Read(name + ".bias", {out});
  return {weight.permute({2, 3, 1, 0}).reshape({4 * out, in}).contiguous(),
          bias.repeat({4})};
}

Neck::Upsample Neck::Fold(const Upsample& up, const Projection& projection) {
  const auto dtype = up.weight.scalar_type();
  const at::Tensor matrix = projection.weight.flatten(1).to(at::kFloat);
  const int64_t middle = matrix.size(1);
  const at::Tensor weight =
      at::matmul(matrix, up.weight.to(at::kFloat).view({4, middle, -1}));
  const at::Tensor bias = at::addmv(projection.bias.to(at::kFloat), matrix,
                                    up.bias.to(at::kFloat).slice(0, 0, middle));
  return {weight.flatten(0, 1).to(dtype).contiguous(),
          bias.to(dtype).repeat({4})};
}

at::Tensor Neck::Smooth(const at::Tensor& x, const Projection& conv) const {
  return at::conv2d(x.permute({0, 3, 1, 2}), conv.weight, conv.bias,
                    /*stride=*/{1, 1}, /*padding=*/{1, 1});
}

}  // namespace sam3
