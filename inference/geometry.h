#pragma once

namespace sam3 {

// Axis-aligned box, corners (x0, y0) top-left and (x1, y1) bottom-right,
// half-open. The unit is stated where the box is used: pixels of the oriented
// image, or fractions of its width and height in [0, 1].
struct Box {
  float x0 = 0;
  float y0 = 0;
  float x1 = 0;
  float y1 = 0;

  bool operator==(const Box&) const = default;
  float width() const { return x1 - x0; }
  float height() const { return y1 - y0; }
};

}  // namespace sam3
