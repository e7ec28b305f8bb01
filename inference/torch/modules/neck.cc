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
        weights.Read(level(index, "proj1.weight"), {out, channels, 1, 1})
            .flatten(1),
        weights.Read(level(index, "proj1.bias"), {out})};
  };
  const auto upsample = [&](int index, const std::string& part, int64_t from,
                            int64_t to) {
    return UpsampleByTwo::Read(weights, level(index, part), from, to);
  };
  fine_first_ = upsample(0, "scale_layers.0", in, in / 2);
  const Projection fine = project(0, in / 4);
  fine_second_ = upsample(0, "scale_layers.2", in / 2, in / 4)
                     .Then(fine.weight, fine.bias);
  const Projection middle = project(1, in / 2);
  middle_ = upsample(1, "scale_layers.0", in, in / 2)
                .Then(middle.weight, middle.bias);
  coarse_ = project(2, in);
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

Neck::Neck(WeightReader& weights, const std::string& name,
           const ModelConfig& config, const Tails& tails)
    : Neck(weights, name, config) {
  const auto read = [&](const std::string& tail, int64_t width) {
    return Projection{
        weights.Read(tail + ".weight", {width, config.hidden_size(), 1, 1})
            .flatten(1),
        weights.Read(tail + ".bias", {width})};
  };
  smooth_[0] = Fold(smooth_[0], read(tails.fine, tails.fine_width));
  smooth_[1] = Fold(smooth_[1], read(tails.middle, tails.middle_width));
}

Neck::Projection Neck::Fold(const Projection& conv, const Projection& tail) {
  const auto dtype = conv.weight.scalar_type();
  const at::Tensor matrix = tail.weight.to(at::kFloat);
  const at::Tensor weight =
      at::matmul(matrix, conv.weight.to(at::kFloat).flatten(1))
          .view({-1, conv.weight.size(1), 3, 3});
  const at::Tensor bias =
      at::addmv(tail.bias.to(at::kFloat), matrix, conv.bias.to(at::kFloat));
  return {weight.to(dtype).contiguous(at::MemoryFormat::ChannelsLast),
          bias.to(dtype)};
}

FeaturePyramid Neck::operator()(const at::Tensor& hidden) const {
  const at::Tensor fine =
      fine_second_(Activate(fine_first_(hidden), Activation::kGelu));
  const at::Tensor coarse = at::linear(hidden, coarse_.weight, coarse_.bias);
  return {Smooth(fine, smooth_[0]), Smooth(middle_(hidden), smooth_[1]),
          Smooth(coarse, smooth_[2])};
}

at::Tensor Neck::Smooth(const at::Tensor& x, const Projection& conv) const {
  return at::conv2d(x.permute({0, 3, 1, 2}), conv.weight, conv.bias,
                    /*stride=*/{1, 1}, /*padding=*/{1, 1});
}

}  // namespace sam3
