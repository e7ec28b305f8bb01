#include "inference/torch/tracker/memory_attention.h"

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/modules/rope.h"
#include "inference/torch/tracker/tiled_attention.h"

namespace sam3 {
MemoryAttention::Layer::Layer(WeightReader& weights, const std::string& name,
                              const ModelConfig& config)
    : norm1(weights, name + ".layer_norm1", config.hidden_size()),
      self_query(weights, name + ".self_attn.q_proj", config.hidden_size(),
                 config.hidden_size()),
      self_key(weights, name + ".self_attn.k_proj", config.hidden_size(),
               config.hidden_size()),
      self_value(weights, name + ".self_attn.v_proj", config.hidden_size(),
                 config.hidden_size()),
      self_output(weights, name + ".self_attn.o_proj", config.hidden_size(),
                  config.hidden_size()),
      norm2(weights, name + ".layer_norm2", config.hidden_size()),
      query(weights, name + ".cross_attn_image.q_proj", config.hidden_size(),
            config.hidden_size()),
      norm3(weights, name + ".layer_norm3", config.hidden_size()),
      linear1(weights, name + ".linear1", config.hidden_size(),
              config.tracker->intermediate_size),
      linear2(weights, name + ".linear2", config.tracker->intermediate_size,
              config.hidden_size()) {
  const int64_t hidden = config.hidden_size();
  const int64_t channels = config.tracker->memory_channels;
  const int64_t heads = config.tracker->head_count;
  const std::string cross = name + ".cross_attn_image";
  key_weight = weights.Read(cross + ".k_proj.weight", {hidden, channels});
  key_bias = weights.Read(cross + ".k_proj.bias", {hidden});
  const at::Tensor value_weight =
      weights.ReadFloat(cross + ".v_proj.weight", {hidden, channels});
  const at::Tensor value_bias =
      weights.ReadFloat(cross + ".v_proj.bias", {hidden});
  const at::Tensor weight =
      weights.ReadFloat(cross + ".o_proj.weight", {hidden, hidden});
  const at::Tensor bias = weights.ReadFloat(cross + ".o_proj.bias", {hidden});
  // Head h: its columns of the output times its rows of the value.
  output_weight = at::bmm(weight.view({hidden, heads, -1}).transpose(0, 1),
                          value_weight.view({heads, -1, channels}))
                      .transpose(0, 1)
                      .reshape({hidden, heads * channels})
                      .to(weights.dtype());
  output_bias = at::addmv(bias, weight, value_bias).to(weights.dtype());
}

MemoryAttention::MemoryAttention(WeightReader& weights, const std::string& name,
                                 const ModelConfig& config)
    : grid_(config.vit.grid()),
      head_count_(config.tracker->head_count),
      activation_(config.tracker->activation),
      positions_(
          (SineGrid(grid_, grid_, config.hidden_size(), weights.device()) * 0.1)
              .to(weights.dtype())),
      memory_positions_(SineGrid(grid_, grid_, config.tracker->memory_channels,
                                 weights.device())
                            .to(weights.dtype())),
      table_(RotaryTable(grid_, 1.0,
                         config.hidden_size() / config.tracker->head_count,
                         config.tracker->rope_theta, weights.device())),
      norm_(weights, name + ".layer_norm", config.hidden_size()) {
  for (int i = 0; i < config.tracker->layer_count; ++i) {
    Layer& layer = layers_.emplace_back(
        weights, absl::StrCat(name, ".layers.", i), config);
    if (head_count_ == 1 && weights.device().is_cpu() &&
        weights.dtype() == at::kFloat) {
      layer.folded.emplace(layer.key_weight, layer.key_bias, table_, grid_);
    }
  }
}

at::Tensor MemoryAttention::operator()(const at::Tensor& features,
                                       const ObjectMemories& memories) const {
  const Tokens tokens = LayOut(memories);
  const int64_t count = memories.frames.size(0);
  at::Tensor x = features + positions_;
  for (const Layer& layer : layers_) {
    x = AttendToFrame(layer, x).add_(x);
    if (x.size(0) != count) x = x.expand({count, -1, -1});
    x = AttendToMemory(layer, x, tokens).add_(x);
    x = layer.linear2(Activate(layer.linear1(layer.norm3(x)), activation_))
            .add_(x);
  }
  return norm_(x);
}

at::Tensor MemoryAttention::SplitHeads(const at::Tensor& x) const {
  return x.unflatten(-1, {head_count_, x.size(-1) / head_count_})
      .transpose(1, 2);
}

at::Tensor MemoryAttention::AttendToFrame(const Layer& layer,
                                          const at::Tensor& x) const {
  const at::Tensor placed = layer.norm1(x);
  at::Tensor query = layer.self_query(placed);
  at::Tensor key = layer.self_key(placed);
  RotateInPlace(query, table_);
  RotateInPlace(key, table_);
  const at::Tensor seen = Attend(SplitHeads(query), SplitHeads(key),
                                 SplitHeads(layer.self_value(placed)));
  return layer.self_output(seen.transpose(1, 2).flatten(2));
}

at::Tensor MemoryAttention::AttendToMemory(const Layer& layer,
                                           const at::Tensor& x,
                                           const Tokens& tokens) const {
  at::Tensor query = layer.query(layer.norm2(x));
  RotateInPlace(query, table_);
  if (tokens.by_row.has_value()) {
    const at::Tensor seen = (*layer.folded)(query, *tokens.by_row);
    return at::linear(seen, layer.output_weight, layer.output_bias);
  }
  at::Tensor key = at::linear(tokens.placed, layer.key_weight, layer.key_bias);
  RotateFirstInPlace(key, table_, tokens.frame_count);
  const at::Tensor seen =
      Attend(SplitHeads(query), SplitHeads(key), tokens.values.unsqueeze(1));
  return at::linear(seen.transpose(1, 2).flatten(2), layer.output_weight,
                    layer.output_bias);
}

MemoryAttention::Tokens MemoryAttention::LayOut(
    const ObjectMemories& memories) const {
  const int64_t count = memories.frames.size(0);
  const int64_t frames = memories.frame_times.size(1);
  const at::Tensor cells =
      memories.frames.view({count, frames, -1, memories.frames.size(-1)});
  const at::Tensor placed =
      (cells + memory_positions_).add_(memories.frame_times.unsqueeze(2));
  const at::Tensor pointers = memories.pointers + memories.pointer_times;
  Tokens tokens;
  const auto& folded = layers_.front().folded;
  if (folded.has_value() && folded->Saves(frames)) {
    const auto by_row = [this](const at::Tensor& x) {
      return x.unflatten(2, {grid_, grid_}).transpose(1, 2).flatten(2, 3);
    };
    tokens.by_row = MemoriesByRow{by_row(placed), by_row(cells), pointers,
                                  memories.pointers};
    return tokens;
  }
  tokens.frame_count = frames * cells.size(2);
  tokens.values = at::cat({memories.frames, memories.pointers}, 1);
  tokens.placed = at::cat({placed.flatten(1, 2), pointers}, 1);
  return tokens;
}

}  // namespace sam3
