#include "tests/support/synthetic_picture.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "pipeline/media/image_writer.h"

namespace sam3 {

Image DrawAreas(int width, int height, const std::vector<ColouredArea>& areas) {
  static const std::map<std::string, std::array<uint8_t, 3>> kColours = {
      {"red", {255, 0, 0}},
      {"green", {0, 255, 0}},
      {"blue", {0, 0, 255}},
      {"yellow", {255, 255, 0}}};
  HeapAllocator allocator;
  const std::shared_ptr<uint8_t> pixels =
      allocator.Allocate(static_cast<size_t>(width) * height * 3);
  std::fill_n(pixels.get(), static_cast<size_t>(width) * height * 3,
              uint8_t{128});
  for (const ColouredArea& area : areas) {
    for (int y = area.y; y < area.y + area.height; ++y) {
      for (int x = area.x; x < area.x + area.width; ++x) {
        const auto& colour = kColours.at(area.colour);
        std::copy(colour.begin(), colour.end(),
                  pixels.get() + (static_cast<size_t>(y) * width + x) * 3);
      }
    }
  }
  return Image(pixels, width, height);
}

std::string DrawAreasPng(int width, int height,
                         const std::vector<ColouredArea>& areas) {
  return *EncodePng(DrawAreas(width, height, areas));
}

}  // namespace sam3
