#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "inference/torch/aten.h"

namespace sam3 {

// Attention whose values are not as wide as its keys, which the library's
// kernels for the CPU do not take, and whose products run at the speed of the
// library's large ones. Scores are made a tile at a time, as in FlashAttention
// (arXiv:2205.14135), so that they stay in a core's own cache.
//
// Called on the engine's thread, in GuardTorch; they use its pool.

// The average of values that a tile of queries has seen so far. The softmax
// goes along: what was summed up shrinks when a greater score turns up.
class RunningAverage {
 public:
  // Of T queries, over values of V channels.
  RunningAverage(int64_t queries, int64_t channels);

  // score [T, K], fp32, is overwritten; values [K, V]. `offset` [T, 1], where
  // there is one, counts as added to all of a query's scores.
  void Add(at::Tensor& score, const at::Tensor& values,
           const at::Tensor& offset = {});

  // [T, V], fp32; to be called once, after at least one Add().
  at::Tensor Take() { return sum_.div_(weight_); }

 private:
  at::Tensor sum_;
  at::Tensor weight_;
  at::Tensor most_;
};

// Runs `body(item, first_row, row_count)` on the library's threads, once for
// each tile of each item's rows. A tile is large enough for products to run at
// full speed, and each thread gets as many, so that none waits for the last.
void ForEachTile(int64_t items, int64_t rows,
                 absl::FunctionRef<void(int64_t, int64_t, int64_t)> body);

// query [N, H, T, D], key [N, H, L, D], value [N, H or 1, L, V], where 1 is
// shared by the heads. Returns [N, H, T, V]: the scaled dot-product attention.
at::Tensor Attend(const at::Tensor& query, const at::Tensor& key,
                  const at::Tensor& value);

}  // namespace sam3
