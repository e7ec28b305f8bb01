#include "inference/torch/tracker/tiled_attention.h"

#include <algorithm>
#include <cmath>

#include "inference/torch/parallel.h"

namespace sam3 {
namespace {

constexpr int64_t kMaxTileQueries = 512;
constexpr int64_t kTileKeys = 512;

// query [T, D] times the scale, key [L, D], value [L, V]. Returns [T, V], fp32.
at::Tensor AverageTile(const at::Tensor& query, const at::Tensor& key,
                       const at::Tensor& value) {
  RunningAverage average(query.size(0), value.size(1));
  for (int64_t at = 0; at < key.size(0); at += kTileKeys) {
    const int64_t count = std::min(kTileKeys, key.size(0) - at);
    at::Tensor score =
        at::mm(query, key.narrow(0, at, count).t()).to(at::kFloat);
    average.Add(score, value.narrow(0, at, count));
  }
  return average.Take();
}

}  // namespace

RunningAverage::RunningAverage(int64_t queries, int64_t channels)
    : sum_(at::zeros({queries, channels}, at::kFloat)),
      weight_(at::zeros({queries, 1}, at::kFloat)) {}

void RunningAverage::Add(at::Tensor& score, const at::Tensor& values,
                         const at::Tensor& offset) {
  at::Tensor most = score.amax(1, /*keepdim=*/true);
  if (offset.defined()) most.add_(offset);
  if (most_.defined()) {
    most = at::maximum(most, most_);
    const at::Tensor shrink = (most_ - most).exp_();
    sum_.mul_(shrink);
    weight_.mul_(shrink);
  }
  most_ = most;
  score.sub_(offset.defined() ? most - offset : most).exp_();
  weight_.add_(score.sum(1, /*keepdim=*/true));
  if (values.scalar_type() == at::kFloat) {
    sum_.addmm_(score, values);
  } else {
    sum_.add_(at::mm(score.to(values.scalar_type()), values));
  }
}

void ForEachTile(int64_t items, int64_t rows,
                 absl::FunctionRef<void(int64_t, int64_t, int64_t)> body) {
  const int64_t threads = at::get_num_threads();
  const int64_t least = (rows + kMaxTileQueries - 1) / kMaxTileQueries;
  const int64_t tile_rows =
      (rows - 1) / ((least + threads - 1) / threads * threads) + 1;
  const int64_t tiles = (rows - 1) / tile_rows + 1;
  ForEachInParallel(items * tiles, [&](int64_t i) {
    const int64_t first = i % tiles * tile_rows;
    body(i / tiles, first, std::min(tile_rows, rows - first));
  });
}

at::Tensor Attend(const at::Tensor& query, const at::Tensor& key,
                  const at::Tensor& value) {
  const int64_t heads = query.size(1);
  const at::Tensor values = value.expand({-1, heads, -1, -1});
  if (!query.is_cpu() ||
      (query.scalar_type() != at::kFloat && values.size(-1) == key.size(-1))) {
    return at::scaled_dot_product_attention(query, key, values);
  }
  const at::Tensor scaled =
      query * (1.0 / std::sqrt(static_cast<double>(query.size(-1))));
  at::Tensor out = at::empty(
      {query.size(0), heads, query.size(2), value.size(-1)}, query.options());
  ForEachTile(
      query.size(0) * heads, query.size(2),
      [&](int64_t i, int64_t first, int64_t count) {
        const int64_t item = i / heads;
        const int64_t head = i % heads;
        out[item][head]
            .narrow(0, first, count)
            .copy_(AverageTile(scaled[item][head].narrow(0, first, count),
                               key[item][head], values[item][head]));
      });
  return out;
}

}  // namespace sam3
