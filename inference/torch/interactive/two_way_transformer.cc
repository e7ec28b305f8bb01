#include "inference/torch/interactive/two_way_transformer.h"

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

Attention Narrow(WeightReader& weights, const std::string& name,
                 const ModelConfig& config) {
  return Attention(
      weights, name, config.hidden_size(), config.interactive->head_count,
      "o_proj",
      config.hidden_size() / config.interactive->attention_downsample_rate);
}

}  // namespace

ReluMlp ReadProjectedMlp(WeightReader& weights, const std::string& name,
                         int64_t in, int64_t hidden, int64_t out, int depth) {
  std::vector<std::string> names = {name + ".proj_in"};
  std::vector<int64_t> sizes = {in, hidden};
  for (int i = 0; i + 2 < depth; ++i) {
    names.push_back(absl::StrCat(name, ".layers.", i));
    sizes.push_back(hidden);
  }
  names.push_back(name + ".proj_out");
  sizes.push_back(out);
  return ReluMlp(weights, names, sizes);
}

TwoWayTransformer::Block::Block(WeightReader& weights, const std::string& name,
                                const ModelConfig& config, bool first)
    : first_(first),
      self_attention_(weights, name + ".self_attn", config.hidden_size(),
                      config.interactive->head_count),
      norm1_(weights, name + ".layer_norm1", config.hidden_size()),
      token_to_picture_(
          Narrow(weights, name + ".cross_attn_token_to_image", config)),
      norm2_(weights, name + ".layer_norm2", config.hidden_size()),
      // The reference makes this network as deep as the transformer.
      mlp_(ReadProjectedMlp(weights, name + ".mlp", config.hidden_size(),
                            config.interactive->intermediate_size,
                            config.hidden_size(),
                            config.interactive->layer_count)),
      norm3_(weights, name + ".layer_norm3", config.hidden_size()),
      norm4_(weights, name + ".layer_norm4", config.hidden_size()),
      picture_to_token_(
          Narrow(weights, name + ".cross_attn_image_to_token", config)) {}

void TwoWayTransformer::Block::Apply(const at::Tensor& token_positions,
                                     const at::Tensor& picture_positions,
                                     Output* state) const {
  at::Tensor& tokens = state->tokens;
  at::Tensor& picture = state->picture;
  if (first_) {
    // Here the tokens are their positions, and nothing is added.
    tokens = norm1_(self_attention_(tokens, tokens, tokens));
  } else {
    const at::Tensor placed = tokens + token_positions;
    tokens = norm1_(self_attention_(placed, placed, tokens).add_(tokens));
  }
  const at::Tensor placed_picture = picture + picture_positions;
  tokens = norm2_(
      token_to_picture_(tokens + token_positions, placed_picture, picture)
          .add_(tokens));
  tokens = norm3_(mlp_(tokens).add_(tokens));
  picture =
      norm4_(picture_to_token_(placed_picture, tokens + token_positions, tokens)
                 .add_(picture));
}

TwoWayTransformer::TwoWayTransformer(WeightReader& weights,
                                     const std::string& name,
                                     const ModelConfig& config)
    : final_attention_(
          Narrow(weights, name + ".final_attn_token_to_image", config)),
      final_norm_(weights, name + ".layer_norm_final_attn",
                  config.hidden_size()) {
  for (int i = 0; i < config.interactive->layer_count; ++i) {
    blocks_.emplace_back(weights, absl::StrCat(name, ".layers.", i), config,
                         i == 0);
  }
}

TwoWayTransformer::Output TwoWayTransformer::operator()(
    const at::Tensor& tokens, const at::Tensor& picture,
    const at::Tensor& positions) const {
  Output state = {tokens, picture};
  for (const Block& block : blocks_) block.Apply(tokens, positions, &state);
  state.tokens =
      final_norm_(final_attention_(state.tokens + tokens,
                                   state.picture + positions, state.picture)
                      .add_(state.tokens));
  return state;
}

}  // namespace sam3
