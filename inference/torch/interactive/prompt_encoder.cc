#include "inference/torch/interactive/prompt_encoder.h"

#include <numbers>
#include <vector>

namespace sam3 {
namespace {

// Rows of the table of kinds, in the checkpoint's order.
enum Kind : int64_t { kNegative, kPositive, kTopLeft, kBottomRight };
constexpr int64_t kPointKinds = 4;
constexpr int64_t kNotAPoint = kPointKinds;

at::Tensor ReadKinds(WeightReader& weights, const std::string& name,
                     int64_t channels) {
  return at::cat(
      {weights.Read(name + ".point_embed.weight", {kPointKinds, channels}),
       weights.Read(name + ".not_a_point_embed.weight", {1, channels})});
}

}  // namespace

FourierPositions::FourierPositions(WeightReader& weights,
                                   const std::string& name, int64_t channels)
    : matrix_(weights.ReadFloat(name + ".positional_embedding",
                                {2, channels / 2})) {}

at::Tensor FourierPositions::operator()(const at::Tensor& xy) const {
  const at::Tensor phase = at::matmul(xy.to(matrix_.device()) * 2 - 1, matrix_)
                               .mul_(2 * std::numbers::pi);
  return at::cat({at::sin(phase), at::cos(phase)}, -1);
}

at::Tensor FourierPositions::Grid(int64_t side) const {
  const at::Tensor centres =
      (at::arange(side, at::kFloat) + 0.5) / static_cast<double>(side);
  const at::Tensor x = centres.view({1, side}).expand({side, side});
  const at::Tensor y = centres.view({side, 1}).expand({side, side});
  return (*this)(at::stack({x, y}, -1).view({side * side, 2}));
}

ObjectPromptEncoder::ObjectPromptEncoder(WeightReader& weights,
                                         const std::string& name,
                                         const ModelConfig& config)
    : pixel_(1.0 / config.vit.image_size),
      activation_(config.interactive->activation),
      positions_(weights, name + ".shared_embedding", config.hidden_size()),
      kinds_(ReadKinds(weights, name, config.hidden_size())),
      no_mask_(
          weights
              .Read(name + ".no_mask_embed.weight", {1, config.hidden_size()})
              .view({1, 1, -1})),
      first_{weights.Read(name + ".mask_embed.conv1.weight",
                          {config.interactive->mask_channels / 4, 1, 2, 2}),
             weights.Read(name + ".mask_embed.conv1.bias",
                          {config.interactive->mask_channels / 4})},
      first_norm_(weights, name + ".mask_embed.layer_norm1",
                  config.interactive->mask_channels / 4,
                  config.interactive->layer_norm_eps),
      second_{weights.Read(name + ".mask_embed.conv2.weight",
                           {config.interactive->mask_channels,
                            config.interactive->mask_channels / 4, 2, 2}),
              weights.Read(name + ".mask_embed.conv2.bias",
                           {config.interactive->mask_channels})},
      second_norm_(weights, name + ".mask_embed.layer_norm2",
                   config.interactive->mask_channels,
                   config.interactive->layer_norm_eps),
      third_{weights
                 .Read(name + ".mask_embed.conv3.weight",
                       {config.hidden_size(), config.interactive->mask_channels,
                        1, 1})
                 .flatten(1),
             weights.Read(name + ".mask_embed.conv3.bias",
                          {config.hidden_size()})} {}

int64_t ObjectPromptEncoder::TokenCount(const ObjectPrompt& prompt) {
  const auto clicks = static_cast<int64_t>(prompt.clicks.size());
  // A box is two corners and a token that is no point; clicks alone are
  // followed by one, and nothing at all is two.
  if (prompt.box.has_value()) return clicks + 3;
  return clicks == 0 ? 2 : clicks + 1;
}

at::Tensor ObjectPromptEncoder::Sparse(
    absl::Span<const ObjectPrompt> prompts) const {
  const int64_t tokens = TokenCount(prompts.front());
  std::vector<float> places;
  std::vector<int64_t> kinds;
  const auto add = [&](double x, double y, int64_t kind) {
    // The reference moves pixel coordinates to the centres of pixels.
    places.push_back(static_cast<float>(x + 0.5 * pixel_));
    places.push_back(static_cast<float>(y + 0.5 * pixel_));
    kinds.push_back(kind);
  };
  for (const ObjectPrompt& prompt : prompts) {
    const size_t end = kinds.size() + static_cast<size_t>(tokens);
    for (const Click& click : prompt.clicks) {
      add(click.x, click.y,
          click.label == ClickLabel::kPositive ? kPositive : kNegative);
    }
    if (prompt.box.has_value()) {
      add(prompt.box->x0, prompt.box->y0, kTopLeft);
      add(prompt.box->x1, prompt.box->y1, kBottomRight);
    }
    while (kinds.size() < end) add(0, 0, kNotAPoint);
  }
  const auto count = static_cast<int64_t>(prompts.size());
  const at::Tensor kind =
      at::tensor(kinds).view({count, tokens}).to(kinds_.device());
  const at::Tensor place =
      positions_(at::tensor(places).view({count, tokens, 2}))
          .mul_((kind != kNotAPoint).unsqueeze(-1))
          .to(kinds_.scalar_type());
  return at::embedding(kinds_, kind).add_(place);
}

at::Tensor ObjectPromptEncoder::Dense(const at::Tensor& logits) const {
  const auto last = [](const at::Tensor& x) { return x.permute({0, 2, 3, 1}); };
  const auto first = [](const at::Tensor& x) {
    return x.permute({0, 3, 1, 2});
  };
  at::Tensor x = at::conv2d(logits, first_.weight, first_.bias, {2, 2});
  x = Activate(first_norm_(last(x)), activation_);
  x = at::conv2d(first(x), second_.weight, second_.bias, {2, 2});
  x = Activate(second_norm_(last(x)), activation_);
  return at::linear(x, third_.weight, third_.bias).flatten(1, 2);
}

}  // namespace sam3
