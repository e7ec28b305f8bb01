#include "inference/association/bit_mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/inference/association/stripes.h"

namespace sam3 {
namespace {

using test::StripeMask;

TEST(BitMaskTest, CountsAcrossWords) {
  std::vector<float> logits(131, -1.0f);
  for (const int i : {0, 63, 64, 127, 128, 130}) logits[i] = 0.001f;
  const BitMask mask = BitMask::FromLogits(logits);
  EXPECT_EQ(mask.area(), 6);
  EXPECT_EQ(mask.begin_word(), 0u);
  EXPECT_EQ(mask.end_word(), 3u);
  EXPECT_EQ(Intersection(mask, mask), 6);
}

TEST(BitMaskTest, ZeroAndNanAreOutside) {
  const BitMask mask =
      BitMask::FromLogits(std::vector<float>{0, -0.0f, NAN, 1e-30f, -1});
  EXPECT_EQ(mask.area(), 1);
}

TEST(BitMaskTest, AFullMaskIsBeyondSixteenBits) {
  const std::vector<float> logits(288 * 288, 3.0f);
  const BitMask mask = BitMask::FromLogits(logits);
  EXPECT_EQ(mask.area(), 82944);
  EXPECT_EQ(Intersection(mask, mask), 82944);
  EXPECT_EQ(Overlap(mask, mask), 1.0f);
}

TEST(BitMaskTest, OverlapIsIntersectionOverUnion) {
  const BitMask wide = StripeMask(100, 200).mask;
  EXPECT_EQ(Overlap(wide, StripeMask(150, 250).mask), 50.0f / 150.0f);
  EXPECT_EQ(Overlap(wide, StripeMask(110, 120).mask), 0.1f);
  EXPECT_EQ(Overlap(wide, StripeMask(200, 300).mask), 0);
}

TEST(BitMaskTest, EmptyMasksOverlapNothing) {
  const BitMask empty = StripeMask(0, 0).mask;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(Overlap(empty, empty), 0);
  EXPECT_EQ(Overlap(empty, BitMask()), 0);
  EXPECT_EQ(Intersection(StripeMask(0, 400).mask, BitMask()), 0);
}

TEST(BitMaskTest, PromptsDoNotOverlap) {
  const std::vector<PromptedMask> rows = {StripeMask(0, 10, 1),
                                          StripeMask(0, 10, 2)};
  const std::vector<PromptedMask> columns = {
      StripeMask(0, 10, 2), StripeMask(0, 20, 1), StripeMask(5, 10, 1)};
  const OverlapMatrix overlaps = Overlaps(rows, columns);
  EXPECT_EQ(overlaps.values, (std::vector<float>{0, 0.5f, 0.5f, 1, 0, 0}));
  EXPECT_EQ(overlaps.at(1, 0), 1);
}

}  // namespace
}  // namespace sam3
