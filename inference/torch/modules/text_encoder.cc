#include "inference/torch/modules/text_encoder.h"

#include "absl/strings/str_cat.h"

namespace sam3 {

TextEncoder::Block::Block(WeightReader& weights, const std::string& name,
                          const TextConfig& config)
    : norm1(weights, name + ".layer_norm1", config.hidden_size,
            config.layer_norm_eps),
      attention(weights, name + ".self_attn", config.hidden_size,
                config.head_count, "out_proj"),
      norm2(weights, name + ".layer_norm2", config.hidden_size,
            config.layer_norm_eps),
      feed_forward(weights, name + ".mlp", config.hidden_size,
                   config.intermediate_size, config.activation) {}

TextEncoder::TextEncoder(WeightReader& weights, const std::string& name,
                         const ModelConfig& config)
    : token_table_(
          weights.Read(name + ".text_model.embeddings.token_embedding.weight",
                       {config.text.vocab_size, config.text.hidden_size})),
      position_table_(weights.Read(
          name + ".text_model.embeddings.position_embedding.weight",
          {config.text.position_count, config.text.hidden_size})),
      final_norm_(weights, name + ".text_model.final_layer_norm",
                  config.text.hidden_size, config.text.layer_norm_eps),
      projection_(weights, "text_projection", config.text.hidden_size,
                  config.hidden_size()) {
  for (int i = 0; i < config.text.layer_count; ++i) {
    blocks_.emplace_back(weights,
                         absl::StrCat(name, ".text_model.encoder.layers.", i),
                         config.text);
  }
  weights.Skip(name + ".text_projection.weight");
}

at::Tensor TextEncoder::operator()(const at::Tensor& ids) const {
  return projection_(Hidden(ids));
}

at::Tensor TextEncoder::Hidden(const at::Tensor& ids) const {
  const int64_t length = ids.size(1);
  at::Tensor x =
      at::embedding(token_table_, ids) + position_table_.narrow(0, 0, length);
  for (const Block& block : blocks_) {
    const at::Tensor hidden = block.norm1(x);
    x = block.attention(hidden, hidden, hidden, {}, /*causal=*/true).add_(x);
    x = block.feed_forward(block.norm2(x)).add_(x);
  }
  return final_norm_(x);
}

}  // namespace sam3
