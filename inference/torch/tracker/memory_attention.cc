#include "inference/torch/tracker/memory_attention.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/modules/rope.h"

namespace sam3 {
namespace {

// A tile of scores that stays in a core's own cache, and yet is large enough
// for products to run at full speed.
constexpr int64_t kMaxTileQueries = 512;
constexpr int64_t kTileKeys = 512;

// One tile's queries against all keys: query [T, D] times the scale, key
// [L, D], value [L, V]. Returns [T, V], fp32. The softmax goes along: what was
// summed up so far shrinks when a greater score turns up.
at::Tensor AverageTile(const at::Tensor& query, const at::Tensor& key,
                       const at::Tensor& value) {
  const auto options = query.options().dtype(at::kFloat);
  at::Tensor sum = at::zeros({query.size(0), value.size(1)}, options);
  at::Tensor weight = at::zeros({query.size(0), 1}, options);
  at::Tensor most;
  for (int64_t at = 0; at < key.size(0); at += kTileKeys) {
    const int64_t count = std::min(kTileKeys, key.size(0) - at);
    at::Tensor score =
        at::mm(query, key.narrow(0, at, count).t()).to(at::kFloat);
    at::Tensor now = score.amax(1, /*keepdim=*/true);
    if (most.defined()) {
      now = at::maximum(now, most);
      const at::Tensor shrink = (most - now).exp_();
      sum.mul_(shrink);
      weight.mul_(shrink);
    }
    most = now;
    score.sub_(most).exp_();
    weight.add_(score.sum(1, /*keepdim=*/true));
    const at::Tensor values = value.narrow(0, at, count);
    if (values.scalar_type() == at::kFloat) {
      sum.addmm_(score, values);
    } else {
      sum.add_(at::mm(score.to(values.scalar_type()), values));
    }
  }
  return sum.div_(weight);
}

// query [N, H, T, D], key [N, H, L, D], value [N, H or 1, L, V], where 1 is
// shared by the heads. Returns [N, H, T, V]. The library's kernels for the CPU
// take no values that are narrower than keys, and lose time on products of its
// fp32 tiles.
at::Tensor Average(const at::Tensor& query, const at::Tensor& key,
                   const at::Tensor& value) {
  const int64_t heads = query.size(1);
  const at::Tensor values = value.expand({-1, heads, -1, -1});
  if (!query.is_cpu() ||
      (query.scalar_type() != at::kFloat && values.size(-1) == key.size(-1))) {
    return at::scaled_dot_product_attention(query, key, values);
  }
  const int64_t rows = query.size(2);
  // As many for each thread, so that none waits for the last.
  const int64_t threads = at::get_num_threads();
  const int64_t least = (rows + kMaxTileQueries - 1) / kMaxTileQueries;
  const int64_t tile_rows =
      (rows - 1) / ((least + threads - 1) / threads * threads) + 1;
  const int64_t tiles = (rows - 1) / tile_rows + 1;
  const at::Tensor scaled =
      query * (1.0 / std::sqrt(static_cast<double>(query.size(-1))));
  at::Tensor out =
      at::empty({query.size(0), heads, rows, value.size(-1)}, query.options());
  at::parallel_for(
      0, query.size(0) * heads * tiles, 1, [&](int64_t begin, int64_t end) {
        // The mode is each thread's own.
        const c10::InferenceMode inference_mode;
        for (int64_t i = begin; i < end; ++i) {
          const int64_t item = i / (heads * tiles);
          const int64_t head = i / tiles % heads;
          const int64_t at = i % tiles * tile_rows;
          const int64_t count = std::min(tile_rows, rows - at);
          out[item][head]
              .narrow(0, at, count)
              .copy_(AverageTile(scaled[item][head].narrow(0, at, count),
                                 key[item][head], values[item][head]));
        }
      });
  return out;
}

}  // namespace

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
    : head_count_(config.tracker->head_count),
      activation_(config.tracker->activation),
      positions_((SineGrid(config.vit.grid(), config.vit.grid(),
                           config.hidden_size(), weights.device()) *
                  0.1)
                     .to(weights.dtype())),
      memory_positions_(SineGrid(config.vit.grid(), config.vit.grid(),
                                 config.tracker->memory_channels,
                                 weights.device())
                            .to(weights.dtype())),
      table_(RotaryTable(config.vit.grid(), 1.0,
                         config.hidden_size() / config.tracker->head_count,
                         config.tracker->rope_theta, weights.device())),
      norm_(weights, name + ".layer_norm", config.hidden_size()) {
  for (int i = 0; i < config.tracker->layer_count; ++i) {
    layers_.emplace_back(weights, absl::StrCat(name, ".layers.", i), config);
  }
}

at::Tensor MemoryAttention::operator()(const at::Tensor& features,
                                       const ObjectMemories& memories) const {
  const Tokens tokens = LayOut(memories);
  at::Tensor x = features + positions_;
  for (const Layer& layer : layers_) {
    x = AttendToFrame(layer, x).add_(x);
    if (x.size(0) != tokens.values.size(0)) {
      x = x.expand({tokens.values.size(0), -1, -1});
    }
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
  const at::Tensor seen = Average(SplitHeads(query), SplitHeads(key),
                                  SplitHeads(layer.self_value(placed)));
  return layer.self_output(seen.transpose(1, 2).flatten(2));
}

at::Tensor MemoryAttention::AttendToMemory(const Layer& layer,
                                           const at::Tensor& x,
                                           const Tokens& tokens) const {
  at::Tensor query = layer.query(layer.norm2(x));
  RotateInPlace(query, table_);
  at::Tensor key = at::linear(tokens.placed, layer.key_weight, layer.key_bias);
  RotateFirstInPlace(key, table_, tokens.frame_count);
  const at::Tensor seen =
      Average(SplitHeads(query), SplitHeads(key), tokens.values.unsqueeze(1));
  return at::linear(seen.transpose(1, 2).flatten(2), layer.output_weight,
                    layer.output_bias);
}

MemoryAttention::Tokens MemoryAttention::LayOut(
    const ObjectMemories& memories) const {
  const int64_t count = memories.frames.size(0);
  const int64_t frames = memories.frame_times.size(1);
  const at::Tensor placed =
      (memories.frames.view({count, frames, -1, memories.frames.size(-1)}) +
       memory_positions_)
          .add_(memories.frame_times.unsqueeze(2))
          .flatten(1, 2);
  Tokens tokens;
  tokens.frame_count = placed.size(1);
  tokens.values = at::cat({memories.frames, memories.pointers}, 1);
  tokens.placed =
      at::cat({placed, memories.pointers + memories.pointer_times}, 1);
  return tokens;
}

}  // namespace sam3
