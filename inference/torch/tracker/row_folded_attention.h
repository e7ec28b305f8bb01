#pragma once

#include <cstdint>

#include "inference/torch/aten.h"

namespace sam3 {

// What N objects remember of F frames, the cells by their row of the grid (the
// rows of all frames that have the same number are neighbours), and what they
// remember besides, P tokens without a place.
struct MemoriesByRow {
  at::Tensor placed;           // [N, grid, F * grid, M]: what keys are made of
  at::Tensor values;           // [N, grid, F * grid, M]
  at::Tensor pointers_placed;  // [N, P, M]
  at::Tensor pointer_values;   // [N, P, M]
};

// Cross-attention to memories of few channels with keys of many, of one head,
// whose keys are turned by place (axial rotary embedding), with less work than
// it takes as it is written:
//
// A score is q . R(x, y) (W m + b), where R turns half of the channels by x and
// the other half by y. Of all cells of one row, y is the same, and so is the
// second half's R(y) W; it is multiplied into the query once for the row, and
// then M products a cell are left of its C / 2. That is the same number up to
// rounding: C / 2 + M products a score in place of C, and C / 2 * M for each
// query and row.
//
// Immutable after construction; called on the engine's thread, in GuardTorch.
// fp32 on the CPU only.
class RowFoldedAttention {
 public:
  // key_weight [C, M], key_bias [C]; table [grid * grid, C / 2, 2] of
  // RotaryTable().
  RowFoldedAttention(const at::Tensor& key_weight, const at::Tensor& key_bias,
                     const at::Tensor& table, int64_t grid);

  // Whether it is less work on so many frames.
  bool Saves(int64_t frames) const;

  // query [N, T, C], turned, not scaled. Returns the averages of values,
  // [N, T, M].
  at::Tensor operator()(const at::Tensor& query,
                        const MemoriesByRow& memories) const;

 private:
  // [N, grid, F * grid, C / 2 + M]: the half that is turned by x, then what
  // the folded queries are multiplied with.
  at::Tensor Keys(const at::Tensor& placed) const;

  const int64_t grid_;
  const at::Tensor key_weight_;  // [C, M]
  const at::Tensor key_bias_;    // [C]
  const at::Tensor x_table_;     // [grid, C / 4, 2]
  const at::Tensor row_weight_;  // [grid, C / 2, M]: R(y) W of the second half
  const at::Tensor row_bias_;    // [C / 2, grid]: R(y) b of the second half
};

}  // namespace sam3
