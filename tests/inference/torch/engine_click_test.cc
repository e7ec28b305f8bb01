// Clicks through the whole engine, on the embedded demo model: a batch of mixed
// prompts on several pictures gives each what it gets alone, and the order and
// the numbers that the raw outputs have.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "inference/engine_factory.h"

namespace sam3 {
namespace {

constexpr int kWidth = 320;
constexpr int kHeight = 240;

// A disc of one colour on grey.
Image Disc(int centre_x, int centre_y, std::array<uint8_t, 3> colour) {
  HeapAllocator allocator;
  const auto pixels = allocator.Allocate(size_t{kWidth} * kHeight * 3);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int dx = x - centre_x;
      const int dy = y - centre_y;
      const bool inside = dx * dx + dy * dy < 50 * 50;
      for (int c = 0; c < 3; ++c) {
        pixels.get()[(y * kWidth + x) * 3 + c] = inside ? colour[c] : 120;
      }
    }
  }
  return {pixels, kWidth, kHeight};
}

ObjectPrompt ClickAt(float x, float y) {
  ObjectPrompt prompt;
  prompt.clicks = {{x / kWidth, y / kHeight, ClickLabel::kPositive}};
  return prompt;
}

class EngineClickTest : public testing::Test {
 protected:
  EngineClickTest()
      : pictures_{Disc(100, 100, {220, 30, 30}),
                  Disc(220, 120, {30, 60, 220})} {
    auto loaded = LoadModel({});
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    engine_ = std::move(loaded->engine);
    embeddings_ = *engine_->EncodeImages(pictures_);
  }

  std::vector<ObjectCandidates> Click(const std::vector<ClickItem>& items) {
    auto pending = engine_->Click(items);
    EXPECT_TRUE(pending.ok()) << pending.status();
    return *(*pending)->Take();
  }

  const std::vector<Image> pictures_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::shared_ptr<const ImageEmbedding>> embeddings_;
};

double Distance(const LowResMask& a, const LowResMask& b) {
  EXPECT_EQ(a.values.size(), b.values.size());
  double worst = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    worst = std::max<double>(worst, std::abs(a.values[i] - b.values[i]));
  }
  return worst;
}

TEST_F(EngineClickTest, AMixedBatchGivesWhatEachPromptGetsAlone) {
  ObjectPrompt box = ClickAt(220, 120);
  box.box =
      Box{170.0f / kWidth, 70.0f / kHeight, 270.0f / kWidth, 170.0f / kHeight};
  const std::shared_ptr<const LowResMask> earlier =
      std::make_shared<LowResMask>(
          Click({{embeddings_[0], ClickAt(100, 100), nullptr, true}})
              .front()
              .candidates.front()
              .mask);
  const std::vector<ClickItem> items = {
      {embeddings_[0], ClickAt(100, 100), nullptr, true},
      {embeddings_[1], box, nullptr, false},
      {embeddings_[1], ClickAt(20, 20), nullptr, true},
      {embeddings_[0], ClickAt(120, 90), earlier, true},
      {embeddings_[0], ClickAt(20, 200), nullptr, false},
      {embeddings_[0], ClickAt(90, 110), nullptr, true}};
  const std::vector<ObjectCandidates> together = Click(items);
  ASSERT_EQ(together.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const ObjectCandidates alone = Click({items[i]}).front();
    ASSERT_EQ(together[i].candidates.size(), items[i].multimask ? 3u : 1u);
    EXPECT_NEAR(together[i].object_score, alone.object_score, 1e-5) << i;
    for (size_t k = 0; k < alone.candidates.size(); ++k) {
      EXPECT_LE(
          Distance(together[i].candidates[k].mask, alone.candidates[k].mask),
          5e-4)
          << i;
    }
  }
  // The prompts' answers differ by far more than rounding.
  EXPECT_GT(
      Distance(together[0].candidates[0].mask, together[2].candidates[0].mask),
      1);
}

TEST_F(EngineClickTest, CandidatesAreTheRawOutputsBestFirst) {
  for (const bool multimask : {true, false}) {
    const auto raw =
        *engine_->RawObjectOutputs(pictures_[1], ClickAt(220, 120), multimask);
    const ObjectCandidates found =
        Click({{embeddings_[1], ClickAt(220, 120), nullptr, multimask}})
            .front();
    const auto values = [&raw](const std::string& name) {
      return std::find_if(raw.begin(), raw.end(),
                          [&](const NamedTensor& t) { return t.name == name; })
          ->values;
    };
    const std::vector<float> iou = values("iou_scores");
    const std::vector<float> masks = values("pred_masks");
    EXPECT_NEAR(found.object_score,
                1 / (1 + std::exp(-values("object_score_logits")[0])), 1e-5);
    std::vector<size_t> order(iou.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&iou](size_t a, size_t b) { return iou[a] > iou[b]; });
    ASSERT_EQ(found.candidates.size(), order.size());
    for (size_t k = 0; k < order.size(); ++k) {
      const ObjectCandidate& candidate = found.candidates[k];
      EXPECT_NEAR(candidate.predicted_iou, iou[order[k]], 1e-5);
      const size_t size = candidate.mask.values.size();
      LowResMask expected = candidate.mask;
      std::copy_n(masks.begin() + static_cast<std::ptrdiff_t>(order[k] * size),
                  size, expected.values.begin());
      EXPECT_LE(Distance(candidate.mask, expected), 5e-4);
    }
  }
}

TEST_F(EngineClickTest, AClickFindsTheDiscUnderIt) {
  const LowResMask mask =
      Click({{embeddings_[0], ClickAt(100, 100), nullptr, true}})
          .front()
          .candidates.front()
          .mask;
  int both = 0;
  int either = 0;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const double dx = (x + 0.5) * kWidth / mask.width - 100;
      const double dy = (y + 0.5) * kHeight / mask.height - 100;
      const bool expected = dx * dx + dy * dy < 50 * 50;
      const bool found =
          mask.values[static_cast<size_t>(y * mask.width + x)] > mask.threshold;
      both += expected && found ? 1 : 0;
      either += expected || found ? 1 : 0;
    }
  }
  EXPECT_GT(static_cast<double>(both) / either, 0.8);
}

}  // namespace
}  // namespace sam3
