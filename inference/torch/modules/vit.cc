#include "inference/torch/modules/vit.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "inference/torch/modules/rope.h"

namespace sam3 {
namespace {

constexpr int kPackFromSize = 512;

}  // namespace

Vit::Block::Block(WeightReader& weights, const std::string& name,
                  const VitConfig& config, bool is_global)
    : norm1(weights, name + ".layer_norm1", config.hidden_size,
            config.layer_norm_eps),
      query(weights, name + ".attention.q_proj", config.hidden_size,
            config.hidden_size),
      key(weights, name + ".attention.k_proj", config.hidden_size,
          config.hidden_size),
      value(weights, name + ".attention.v_proj", config.hidden_size,
            config.hidden_size),
      output(weights, name + ".attention.o_proj", config.hidden_size,
             config.hidden_size),
      norm2(weights, name + ".layer_norm2", config.hidden_size,
            config.layer_norm_eps),
      feed_forward(weights, name + ".mlp", config.hidden_size,
                   config.intermediate_size, config.activation),
      global(is_global) {}

void Vit::Block::PackFor(int64_t rows) {
  for (Linear* linear : {&query, &key, &value, &output}) linear->PackFor(rows);
  feed_forward.PackFor(rows);
}

Vit::Vit(WeightReader& weights, const std::string& name,
         const VitConfig& config)
    : config_(config),
      windows_tile_grid_(config.grid() % config.window_size == 0),
      windows_per_side_((config.grid() + config.window_size - 1) /
                        config.window_size),
      patch_weight_(weights.Read(
          name + ".embeddings.patch_embeddings.projection.weight",
          {config.hidden_size, 3, config.patch_size, config.patch_size})),
      norm_(weights, name + ".layer_norm", config.hidden_size,
            config.layer_norm_eps) {
  const int64_t table = config.pretrain_grid();
  const int64_t grid = config.grid();
  const at::Tensor pretrained =
      weights.Read(name + ".embeddings.position_embeddings",
                   {1, table * table, config.hidden_size});
  const int64_t repeat = grid / table + 1;
  positions_ = pretrained.view({table, table, -1})
                   .repeat({repeat, repeat, 1})
                   .narrow(0, 0, grid)
                   .narrow(1, 0, grid)
                   .flatten(0, 1)
                   .contiguous();
  for (int i = 0; i < config.layer_count; ++i) {
    blocks_.emplace_back(weights, absl::StrCat(name, ".layers.", i), config,
                         absl::c_linear_search(config.global_layers, i));
  }
  // Small models multiply from the cache either way.
  if (config.hidden_size >= kPackFromSize && windows_tile_grid_) {
    for (Block& block : blocks_) block.PackFor(grid * grid);
  }
  window_table_ = RotaryTable(config.window_size, 1.0, config.head_size(),
                              config.rope_theta, weights.device());
  const double scale =
      static_cast<double>(config.window_size) / static_cast<double>(grid);
  global_table_ = RotaryTable(grid, scale, config.head_size(),
                              config.rope_theta, weights.device());
  if (windows_tile_grid_) {
    global_table_ = ToWindows(global_table_.view({1, grid, grid, -1}))
                        .view(global_table_.sizes());
  }
}

at::Tensor Vit::operator()(const at::Tensor& pixels) const {
  const int64_t count = pixels.size(0);
  const int64_t grid = config_.grid();
  const int64_t window_tokens =
      int64_t{config_.window_size} * config_.window_size;
  at::Tensor x = Embed(pixels).view({count, grid, grid, -1});
  if (windows_tile_grid_) x = ToWindows(x);
  for (const Block& block : blocks_) {
    at::Tensor hidden = block.norm1(x);
    if (block.global) {
      hidden =
          Attend(block, hidden.view({count, grid * grid, -1}), global_table_);
    } else if (windows_tile_grid_) {
      hidden = Attend(block, hidden.view({-1, window_tokens, x.size(-1)}),
                      window_table_);
    } else {
      hidden = FromWindows(Attend(block, ToWindows(hidden), window_table_));
    }
    x = hidden.view(x.sizes()).add_(x);
    x = block.feed_forward(block.norm2(x)).add_(x);
  }
  return windows_tile_grid_ ? FromWindows(x) : x;
}

at::Tensor Vit::Embed(const at::Tensor& pixels) const {
  const at::Tensor patches =
      at::conv2d(pixels.to(patch_weight_.scalar_type()), patch_weight_, {},
                 {config_.patch_size, config_.patch_size});
  return norm_(patches.flatten(2).transpose(1, 2) + positions_);
}

at::Tensor Vit::Attend(const Block& block, const at::Tensor& x,
                       const at::Tensor& table) const {
  at::Tensor query = block.query(x);
  at::Tensor key = block.key(x);
  RotateInPlace(query, table);
  RotateInPlace(key, table);
  const auto split = [this](const at::Tensor& flat) {
    return flat.unflatten(-1, {config_.head_count, config_.head_size()})
        .transpose(1, 2);
  };
  const at::Tensor attended = at::scaled_dot_product_attention(
      split(query), split(key), split(block.value(x)));
  return block.output(attended.transpose(1, 2).flatten(2));
}

at::Tensor Vit::ToWindows(const at::Tensor& x) const {
  const int64_t side = config_.window_size;
  const int64_t overhang = windows_per_side_ * side - x.size(1);
  const at::Tensor padded =
      overhang == 0 ? x
                    : at::constant_pad_nd(x, {0, 0, 0, overhang, 0, overhang});
  return padded
      .reshape({x.size(0), windows_per_side_, side, windows_per_side_, side,
                x.size(3)})
      .transpose(2, 3)
      .reshape({-1, side * side, x.size(3)});
}

at::Tensor Vit::FromWindows(const at::Tensor& x) const {
  const int64_t side = config_.window_size;
  return x
      .reshape(
          {-1, windows_per_side_, windows_per_side_, side, side, x.size(-1)})
      .transpose(2, 3)
      .reshape(
          {-1, windows_per_side_ * side, windows_per_side_ * side, x.size(-1)})
      .narrow(1, 0, config_.grid())
      .narrow(2, 0, config_.grid())
      .contiguous();
}

}  // namespace sam3
