#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "inference/engine.h"

namespace sam3 {

// What the fake engine sees: a picture as a grid of cells of four colours.
// Pure values; any thread.

inline constexpr int kFakeGrid = 64;
inline constexpr size_t kFakeCells = size_t{kFakeGrid} * kFakeGrid;
inline constexpr int kFakeColourCount = 4;
inline constexpr std::array<absl::string_view, kFakeColourCount>
    kFakeColourNames = {"red", "green", "blue", "yellow"};
inline constexpr int kNoFakeColour = -1;

// A rectangle of grid cells, half-open.
struct FakeArea {
  int x0 = kFakeGrid;
  int y0 = kFakeGrid;
  int x1 = 0;
  int y1 = 0;
  int cells = 0;
};

// What is under a click.
struct FakeObject {
  int colour = kNoFakeColour;
  std::vector<FakeArea> areas;  // one or none
};

class FakeImage final : public ImageEmbedding {
 public:
  explicit FakeImage(const Image& image);
  size_t size_bytes() const override { return sizeof(*this); }

  // At fractions of the picture's sides.
  int ColourAt(float x, float y) const;

  // Connected areas of a colour, largest first.
  std::vector<FakeArea> AreasOf(int colour) const;

  // Under the last positive click, or else the box's centre.
  FakeObject ObjectAt(const ObjectPrompt& prompt) const;

 private:
  static int Index(int x, int y) { return y * kFakeGrid + x; }
  std::array<int8_t, kFakeCells> cells_{};
};

// Fills rectangles with one logit and the rest with its opposite.
LowResMask MaskOfAreas(const std::vector<FakeArea>& areas);

}  // namespace sam3
