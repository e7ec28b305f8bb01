#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/detection.h"
#include "inference/engine.h"
#include "inference/image.h"
#include "inference/prompt.h"

namespace sam3 {

// The fake engine's world: a picture is a grid of cells, each of one of four
// pure colours or of none. Values; any thread; nothing blocks.

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

// An area, and what colour it is.
struct ColouredFakeArea {
  int colour = kNoFakeColour;
  FakeArea area;
};

class FakeImage final : public ImageEmbedding {
 public:
  explicit FakeImage(const Image& image);

  size_t size_bytes() const override { return sizeof(*this); }

  // At fractions of the picture.
  int ColourAt(float x, float y) const;

  // Connected areas of a colour, largest first; none of no colour.
  std::vector<FakeArea> AreasOf(int colour) const;

  // The area of the commonest colour inside the mask, where there is any.
  // `mask`: a value a cell, inside where greater than 0.
  std::optional<ColouredFakeArea> Under(absl::Span<const float> mask) const;

  // Under the last positive click, or else the box's centre.
  std::optional<ColouredFakeArea> ObjectAt(const ObjectPrompt& prompt) const;

  // The area of the same colour whose centre is nearest, one or none: it must
  // be near.
  std::vector<FakeArea> NearestTo(const ColouredFakeArea& seen) const;

 private:
  std::array<int8_t, kFakeCells> cells_{};
};

// Rectangles with one logit, and the rest with its opposite.
LowResMask MaskOfFakeAreas(absl::Span<const FakeArea> areas);

}  // namespace sam3
