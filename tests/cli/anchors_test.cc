// What `verify` compares with published numbers, on outputs made up for it.
#include "cli/anchors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

constexpr int kWidth = 640;
constexpr int kHeight = 425;
constexpr int64_t kQueries = 5;
constexpr int64_t kMaskSide = 4;

// Raw outputs that are as the anchor says: its best queries are 3, 1 and 4.
std::vector<NamedTensor> OutputsOf(const Anchor& anchor) {
  constexpr size_t kRanked[] = {3, 1, 4};
  const float logit = anchor.logits[static_cast<size_t>(anchor.answer_rank)];
  const float presence =
      std::min(anchor.answer_score * (1 + std::exp(-logit)), 0.9999f);
  std::vector<NamedTensor> outputs = {
      {"presence_logits", {1}, {std::log(presence / (1 - presence))}},
      {"pred_logits", {kQueries}, std::vector<float>(kQueries, -9.0f)},
      {"pred_boxes", {kQueries, 4}, std::vector<float>(kQueries * 4)},
      {"pred_masks",
       {kQueries, kMaskSide, kMaskSide},
       std::vector<float>(kQueries * kMaskSide * kMaskSide)}};
  for (size_t i = 0; i < 3; ++i) {
    outputs[1].values[kRanked[i]] = anchor.logits[i];
    outputs[3].values[kRanked[0] * kMaskSide * kMaskSide + i] = anchor.mask[i];
  }
  const auto set_box = [&](size_t query, const Box& box, float w, float h) {
    const float corners[] = {box.x0 / w, box.y0 / h, box.x1 / w, box.y1 / h};
    std::copy_n(corners, 4, outputs[2].values.begin() + query * 4);
  };
  set_box(kRanked[static_cast<size_t>(anchor.answer_rank)], anchor.answer_box,
          kWidth, kHeight);
  set_box(kRanked[0], anchor.box, 1, 1);
  return outputs;
}

// The numbers that are not as published.
std::vector<std::string> Differing(const std::vector<NamedTensor>& outputs,
                                   const Anchor& anchor, bool bf16 = false) {
  const auto values = CompareWithAnchor(anchor, outputs, kWidth, kHeight, bf16);
  EXPECT_THAT(values, IsOk());
  std::vector<std::string> names;
  for (const AnchorValue& value : *values) {
    if (!value.within()) names.push_back(value.name);
  }
  return names;
}

TEST(AnchorsTest, PublishedNumbersAreAsPublished) {
  const std::vector<Anchor> anchors = PublishedAnchors();
  ASSERT_EQ(anchors.size(), 4u);
  for (const Anchor& anchor : anchors) {
    // The second picture has another size.
    if (std::string(anchor.picture) != anchors[0].picture) continue;
    EXPECT_THAT(Differing(OutputsOf(anchor), anchor), testing::IsEmpty())
        << anchor.text;
  }
}

// The published numbers fit each other: a score is its logit's, as the class of
// the picture was certain.
TEST(AnchorsTest, ScoresFitTheirLogits) {
  for (const Anchor& anchor : PublishedAnchors()) {
    const float logit = anchor.logits[static_cast<size_t>(anchor.answer_rank)];
    const float score = 1 / (1 + std::exp(-logit));
    EXPECT_LE(anchor.answer_score, score + 1e-4f) << anchor.text;
    EXPECT_GT(anchor.answer_score, score * 0.98f) << anchor.text;
    EXPECT_GT(anchor.logits[0], anchor.logits[1]);
    EXPECT_GT(anchor.logits[1], anchor.logits[2]);
  }
}

TEST(AnchorsTest, EveryNumberIsCompared) {
  const Anchor anchor = PublishedAnchors().front();
  const std::vector<NamedTensor> good = OutputsOf(anchor);
  const auto broken = [&](size_t tensor, size_t index, float by) {
    std::vector<NamedTensor> outputs = good;
    outputs[tensor].values[index] += by;
    return Differing(outputs, anchor);
  };
  using testing::ElementsAre;
  EXPECT_THAT(broken(1, 4, 0.1f), ElementsAre("logit 3"));
  EXPECT_THAT(broken(1, 3, 0.01f), testing::IsEmpty());
  EXPECT_THAT(broken(2, 3 * 4 + 2, 0.01f), ElementsAre("best box x1"));
  EXPECT_THAT(broken(2, 1 * 4 + 1, 0.01f), ElementsAre("answer box y0"));
  EXPECT_THAT(broken(3, 3 * 16 + 1, 0.5f), ElementsAre("best mask 0,1"));
  EXPECT_THAT(broken(0, 0, -18.0f), ElementsAre("answer score"));
  EXPECT_THAT(broken(1, 4, std::numeric_limits<float>::quiet_NaN()),
              testing::Contains("logit 3"));
}

TEST(AnchorsTest, Bf16MayDifferMoreButNotMuch) {
  const Anchor anchor = PublishedAnchors().front();
  std::vector<NamedTensor> outputs = OutputsOf(anchor);
  outputs[1].values[4] += 0.2f;
  EXPECT_THAT(Differing(outputs, anchor, /*bf16=*/true), testing::IsEmpty());
  outputs[1].values[4] += 0.2f;
  EXPECT_THAT(Differing(outputs, anchor, /*bf16=*/true),
              testing::ElementsAre("logit 3"));
}

TEST(AnchorsTest, OutputsThatAreNoneAreNamed) {
  const Anchor anchor = PublishedAnchors().front();
  for (size_t tensor = 0; tensor < 4; ++tensor) {
    std::vector<NamedTensor> outputs = OutputsOf(anchor);
    outputs[tensor].values.clear();
    EXPECT_THAT(
        CompareWithAnchor(anchor, outputs, kWidth, kHeight, false),
        StatusIs(absl::StatusCode::kInvalidArgument, outputs[tensor].name));
    outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(tensor));
    EXPECT_THAT(CompareWithAnchor(anchor, outputs, kWidth, kHeight, false),
                StatusIs(absl::StatusCode::kInvalidArgument, "no output"));
  }
}

TEST(AnchorsTest, OnlyThePublishedShapeHasAnchors) {
  EngineInfo info;
  info.parameter_count = 840'376'374;
  info.image_size = 1008;
  info.mask_size = 288;
  info.query_count = 200;
  EXPECT_TRUE(HasPublishedShape(info));
  --info.parameter_count;
  EXPECT_FALSE(HasPublishedShape(info));
  EXPECT_FALSE(HasPublishedShape({}));
}

}  // namespace
}  // namespace sam3
