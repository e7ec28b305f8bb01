#include "inference/torch/tracker/row_folded_attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "inference/torch/modules/rope.h"

namespace sam3 {
namespace {

constexpr int64_t kGrid = 6;
constexpr int64_t kSize = 48;
constexpr int64_t kChannels = 8;
constexpr int64_t kItems = 2;
constexpr int64_t kFrames = 3;

// What the memories look like frame after frame.
struct Memories {
  explicit Memories(int64_t pointer_count)
      : placed(at::randn({kItems, kFrames, kGrid, kGrid, kChannels})),
        values(at::randn(placed.sizes())),
        pointers_placed(at::randn({kItems, pointer_count, kChannels})),
        pointer_values(at::randn(pointers_placed.sizes())) {}

  MemoriesByRow ByRow() const {
    return {placed.transpose(1, 2).flatten(2, 3),
            values.transpose(1, 2).flatten(2, 3), pointers_placed,
            pointer_values};
  }

  at::Tensor placed;  // [N, F, grid, grid, M]
  at::Tensor values;
  at::Tensor pointers_placed;
  at::Tensor pointer_values;
};

class RowFoldedAttentionTest : public testing::Test {
 protected:
  RowFoldedAttentionTest() { at::manual_seed(5); }

  // As the reference does it: every key is made whole, then turned.
  at::Tensor Plain(const at::Tensor& query, const Memories& memories) const {
    at::Tensor keys = at::linear(memories.placed.flatten(1, 3), weight_, bias_);
    RotateFirstInPlace(keys, table_, keys.size(1));
    keys = at::cat({keys, at::linear(memories.pointers_placed, weight_, bias_)},
                   1);
    const at::Tensor values =
        at::cat({memories.values.flatten(1, 3), memories.pointer_values}, 1);
    const at::Tensor scores =
        at::bmm(query, keys.transpose(1, 2)) / std::sqrt(double{kSize});
    return at::bmm(at::softmax(scores, -1), values);
  }

  const c10::InferenceMode inference_mode_;
  const at::Tensor table_ =
      RotaryTable(kGrid, 1.0, kSize, 10000.0, at::Device(at::kCPU));
  const at::Tensor weight_ = at::randn({kSize, kChannels});
  const at::Tensor bias_ = at::randn({kSize}) * 3;
  const RowFoldedAttention attention_{weight_, bias_, table_, kGrid};
};

TEST_F(RowFoldedAttentionTest, IsThePlainAttention) {
  // More queries than a tile has.
  for (const int64_t queries : {1, 36, 1100}) {
    for (const int64_t pointers : {0, 5}) {
      const Memories memories(pointers);
      const at::Tensor query = at::randn({kItems, queries, kSize});
      const at::Tensor plain = Plain(query, memories);
      const at::Tensor folded = attention_(query, memories.ByRow());
      ASSERT_EQ(folded.sizes(), plain.sizes());
      EXPECT_LE((folded - plain).abs().max().item<float>(),
                2e-5 * plain.abs().max().item<float>())
          << queries << " queries, " << pointers << " pointers";
    }
  }
}

// Scores far from zero, and greater ones at every later row.
TEST_F(RowFoldedAttentionTest, KeepsLargeScoresInRange) {
  Memories memories(3);
  memories.placed.mul_(20);
  memories.placed.mul_(
      at::arange(1, kGrid + 1).view({1, 1, kGrid, 1, 1}).to(at::kFloat));
  const at::Tensor query = at::randn({kItems, 40, kSize}) * 5;
  const at::Tensor plain = Plain(query, memories);
  const at::Tensor folded = attention_(query, memories.ByRow());
  EXPECT_TRUE(folded.isfinite().all().item<bool>());
  EXPECT_LE((folded - plain).abs().mean().item<float>(), 1e-3);
}

TEST_F(RowFoldedAttentionTest, SavesWhereThereAreManyCells) {
  // 6 * (24 - 8) products a frame and row against 2 * 24 * 8.
  EXPECT_FALSE(attention_.Saves(4));
  EXPECT_TRUE(attention_.Saves(5));
  // Nothing is saved where half of a key is no wider than a memory.
  const RowFoldedAttention narrow(at::randn({kSize, 24}), at::randn({kSize}),
                                  table_, kGrid);
  EXPECT_FALSE(narrow.Saves(1000));
}

}  // namespace
}  // namespace sam3
