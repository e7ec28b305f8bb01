#pragma once

#include <string>
#include <vector>

#include "inference/image.h"

namespace sam3 {

// A rectangle of a colour that the fake engine knows: red, green, blue or
// yellow. Pixels.
struct ColouredArea {
  std::string colour;
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// Grey with areas on it.
Image DrawAreas(int width, int height, const std::vector<ColouredArea>& areas);

// The same as a PNG file.
std::string DrawAreasPng(int width, int height,
                         const std::vector<ColouredArea>& areas);

}  // namespace sam3
