// The drawn picture as somebody looks at it: what is tinted, and whether lines
// and letters can be made out at any size of picture.
#include "cli/overlay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "pipeline/mask_codec.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

struct Rgb {
  int r = 0;
  int g = 0;
  int b = 0;
  bool operator==(const Rgb&) const = default;
  double luma() const { return 0.299 * r + 0.587 * g + 0.114 * b; }
};

Image Plain(int width, int height, Rgb colour) {
  HeapAllocator allocator;
  const size_t count = static_cast<size_t>(width) * height;
  const auto pixels = allocator.Allocate(count * 3);
  for (size_t i = 0; i < count; ++i) {
    pixels.get()[i * 3] = static_cast<uint8_t>(colour.r);
    pixels.get()[i * 3 + 1] = static_cast<uint8_t>(colour.g);
    pixels.get()[i * 3 + 2] = static_cast<uint8_t>(colour.b);
  }
  return Image(pixels, width, height);
}

Rgb At(const Image& image, int x, int y) {
  const uint8_t* p =
      image.pixels() + (static_cast<size_t>(y) * image.width() + x) * 3;
  return {p[0], p[1], p[2]};
}

// A result with one instance whose mask is its whole box.
v1::PromptResult Found(int width, int height, int x0, int y0, int x1, int y1) {
  MaskRuns runs;
  runs.width = width;
  runs.height = height;
  // Column by column: background and foreground in turns.
  runs.counts.push_back(static_cast<uint32_t>(x0 * height + y0));
  for (int x = x0; x < x1; ++x) {
    runs.counts.push_back(static_cast<uint32_t>(y1 - y0));
    runs.counts.push_back(static_cast<uint32_t>(
        x + 1 < x1 ? height - (y1 - y0) : height - y1 + (width - x1) * height));
  }
  v1::PromptResult result;
  v1::Instance* instance = result.add_instances();
  instance->set_score(0.97f);
  auto* box = instance->mutable_box()->mutable_xyxy();
  box->set_x0(static_cast<float>(x0));
  box->set_y0(static_cast<float>(y0));
  box->set_x1(static_cast<float>(x1));
  box->set_y1(static_cast<float>(y1));
  instance->mutable_mask()->set_width_px(width);
  instance->mutable_mask()->set_height_px(height);
  instance->mutable_mask()->mutable_rle()->set_counts(
      CocoCountsFromRuns(runs.counts));
  return result;
}

TEST(OverlayTest, TintsTheMaskAndNothingElse) {
  const Rgb grey{128, 128, 128};
  const Image picture = Plain(320, 240, grey);
  const auto drawn =
      DrawOverlay(picture, {Found(320, 240, 100, 100, 200, 180)}, {"a"});
  ASSERT_THAT(drawn, IsOk());
  EXPECT_NE(At(*drawn, 150, 140), grey);
  EXPECT_EQ(At(*drawn, 50, 50), grey);
  EXPECT_EQ(At(*drawn, 250, 220), grey);
  // The picture itself is left alone.
  EXPECT_EQ(At(picture, 150, 140), grey);
}

TEST(OverlayTest, AMaskThatDoesNotFitIsRefused) {
  EXPECT_THAT(
      DrawOverlay(Plain(64, 64, {}), {Found(32, 32, 1, 1, 9, 9)}, {"a"}),
      StatusIs(absl::StatusCode::kInvalidArgument, "32 x 32"));
}

// On things of exactly the line's colour, too.
TEST(OverlayTest, OutlinesShowOnEveryColour) {
  constexpr int kPrompts = 8;
  for (int prompt = 0; prompt < kPrompts; ++prompt) {
    std::vector<v1::PromptResult> results(prompt + 1);
    results.back() = Found(480, 360, 100, 100, 200, 180);
    const std::vector<std::string> labels(prompt + 1, "a");
    const auto on_grey =
        DrawOverlay(Plain(480, 360, {128, 128, 128}), results, labels);
    ASSERT_THAT(on_grey, IsOk());
    const Rgb line = At(*on_grey, 199, 150);
    const auto on_own = DrawOverlay(Plain(480, 360, line), results, labels);
    double darkest = 255;
    for (int x = 195; x < 204; ++x) {
      darkest = std::min(darkest, At(*on_own, x, 150).luma());
    }
    EXPECT_LT(darkest, line.luma() - 60) << prompt;
  }
}

// Of the label's pixels a part is ink, far from the label's colour, and not so
// much that the letters run together.
TEST(OverlayTest, LabelsAreLegibleAtEverySize) {
  for (const int side : {240, 640, 1600, 4000}) {
    for (size_t prompt = 0; prompt < 8; ++prompt) {
      std::vector<v1::PromptResult> results(prompt + 1);
      results.back() =
          Found(side, side, side / 4, side / 2, side / 2, side * 3 / 4);
      const auto drawn =
          DrawOverlay(Plain(side, side, {128, 128, 128}), results,
                      std::vector<std::string>(prompt + 1, "red circle"));
      ASSERT_THAT(drawn, IsOk());
      const int x = side / 4 + 1;
      // From the box upwards: the line and its edge, then the label.
      int bottom = side / 2 - side / 100 - 2;
      const Rgb ground = At(*drawn, x, bottom);
      int top = bottom;
      while (top > 0 && At(*drawn, x, top - 1) == ground) --top;
      int right = x;
      while (right + 1 < side && At(*drawn, right + 1, top) == ground) ++right;
      EXPECT_GT(bottom - top, side / 60) << side;
      int64_t ink = 0;
      double contrast = 0;
      for (int row = top; row <= bottom; ++row) {
        for (int column = x; column <= right; ++column) {
          const double difference =
              std::abs(At(*drawn, column, row).luma() - ground.luma());
          contrast = std::max(contrast, difference);
          if (difference > 60) ++ink;
        }
      }
      const double share =
          static_cast<double>(ink) / ((bottom - top + 1.0) * (right - x + 1.0));
      EXPECT_GT(contrast, 100) << side << " " << prompt;
      EXPECT_GT(share, 0.05) << side << " " << prompt;
      EXPECT_LT(share, 0.25) << side << " " << prompt;
    }
  }
}

}  // namespace
}  // namespace sam3
