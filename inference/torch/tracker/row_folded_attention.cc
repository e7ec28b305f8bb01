#include "inference/torch/tracker/row_folded_attention.h"

#include <cmath>

#include "inference/torch/modules/rope.h"
#include "inference/torch/tracker/tiled_attention.h"

namespace sam3 {
namespace {

// Angles by x, along the grid's first row: [grid, C / 4, 2].
at::Tensor AnglesByX(const at::Tensor& table, int64_t grid) {
  return table.chunk(2, 1)[0].narrow(0, 0, grid).contiguous();
}

// Angles by y, along the grid's first column: [grid, C / 4, 2].
at::Tensor AnglesByY(const at::Tensor& table, int64_t grid) {
  return table.chunk(2, 1)[1]
      .unflatten(0, {grid, grid})
      .select(1, 0)
      .contiguous();
}

// columns [C / 2, K], turned as they are in every row: [grid, C / 2, K].
at::Tensor TurnByRow(const at::Tensor& columns, const at::Tensor& table,
                     int64_t grid) {
  at::Tensor turned =
      columns.t().unsqueeze(1).expand({-1, grid, -1}).contiguous();
  RotateInPlace(turned, AnglesByY(table, grid));
  return turned.permute({1, 2, 0}).contiguous();
}

}  // namespace

RowFoldedAttention::RowFoldedAttention(const at::Tensor& key_weight,
                                       const at::Tensor& key_bias,
                                       const at::Tensor& table, int64_t grid)
    : grid_(grid),
      key_weight_(key_weight),
      key_bias_(key_bias),
      x_table_(AnglesByX(table, grid)),
      row_weight_(TurnByRow(key_weight.chunk(2)[1], table, grid)),
      row_bias_(TurnByRow(key_bias.chunk(2)[1].unsqueeze(1), table, grid)
                    .squeeze(2)
                    .t()
                    .contiguous()) {}

bool RowFoldedAttention::Saves(int64_t frames) const {
  const int64_t half = key_weight_.size(0) / 2;
  const int64_t channels = key_weight_.size(1);
  // Products for one query and row. Twice, since smaller ones run slower.
  return frames * grid_ * (half - channels) > 2 * half * channels;
}

at::Tensor RowFoldedAttention::Keys(const at::Tensor& placed) const {
  at::Tensor turned =
      at::linear(placed, key_weight_.chunk(2)[0], key_bias_.chunk(2)[0]);
  at::Tensor by_frame = turned.view({-1, grid_, turned.size(-1)});
  RotateInPlace(by_frame, x_table_);
  return at::cat({turned, placed}, -1);
}

at::Tensor RowFoldedAttention::operator()(const at::Tensor& query,
                                          const MemoriesByRow& memories) const {
  const int64_t size = query.size(2);
  const int64_t half = size / 2;
  const int64_t channels = memories.values.size(-1);
  const int64_t row_keys = memories.values.size(2);
  const at::Tensor keys = Keys(memories.placed);
  const at::Tensor pointer_keys =
      at::linear(memories.pointers_placed, key_weight_, key_bias_);
  const at::Tensor scaled =
      query * (1.0 / std::sqrt(static_cast<double>(size)));
  at::Tensor out =
      at::empty({query.size(0), query.size(1), channels}, query.options());
  ForEachTile(query.size(0), query.size(1),
              [&](int64_t item, int64_t first, int64_t count) {
                const at::Tensor tile = scaled[item].narrow(0, first, count);
                const at::Tensor by_x = tile.narrow(1, 0, half);
                const at::Tensor by_y = tile.narrow(1, half, half);
                const at::Tensor offsets = at::mm(by_y, row_bias_);
                at::Tensor folded = at::cat(
                    {by_x, at::empty({count, channels}, tile.options())}, 1);
                at::Tensor folded_half = folded.narrow(1, half, channels);
                at::Tensor score = at::empty({count, row_keys}, tile.options());
                RunningAverage average(count, channels);
                for (int64_t row = 0; row < grid_; ++row) {
                  at::mm_out(folded_half, by_y, row_weight_[row]);
                  at::mm_out(score, folded, keys[item][row].t());
                  average.Add(score, memories.values[item][row],
                              offsets.narrow(1, row, 1));
                }
                if (pointer_keys.size(1) > 0) {
                  at::Tensor of_pointers = at::mm(tile, pointer_keys[item].t());
                  average.Add(of_pointers, memories.pointer_values[item]);
                }
                out[item].narrow(0, first, count).copy_(average.Take());
              });
  return out;
}

}  // namespace sam3
