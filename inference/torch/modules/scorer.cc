#include "inference/torch/modules/scorer.h"

#include <cmath>

namespace sam3 {
namespace {

constexpr double kMaxLogit = 12.0;

}  // namespace

Scorer::Scorer(WeightReader& weights, const std::string& name,
               const ModelConfig& config)
    : scale_(1.0 / std::sqrt(config.decoder.hidden_size)),
      prompt_mlp_(weights, name + ".text_mlp",
                  {config.decoder.hidden_size, config.decoder.intermediate_size,
                   config.decoder.hidden_size}),
      prompt_norm_(weights, name + ".text_mlp_out_norm",
                   config.decoder.hidden_size),
      prompt_projection_(weights, name + ".text_proj",
                         config.decoder.hidden_size,
                         config.decoder.hidden_size),
      query_projection_(weights, name + ".query_proj",
                        config.decoder.hidden_size,
                        config.decoder.hidden_size) {}

at::Tensor Scorer::operator()(const at::Tensor& queries,
                              const at::Tensor& prompt,
                              const at::Tensor& valid) const {
  const at::Tensor tokens = prompt_norm_(prompt_mlp_(prompt) + prompt);
  const at::Tensor weight = valid.to(tokens.scalar_type()).unsqueeze(-1);
  const at::Tensor mean = (tokens * weight).sum(1) / weight.sum(1);
  const at::Tensor logits = at::matmul(query_projection_(queries),
                                       prompt_projection_(mean).unsqueeze(-1))
                                .squeeze(-1);
  return (logits.to(at::kFloat) * scale_).clamp(-kMaxLogit, kMaxLogit);
}

}  // namespace sam3
