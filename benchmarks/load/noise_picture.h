#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include "inference/image.h"
#include "pipeline/media/image_writer.h"

namespace sam3 {

// A JPEG of about `target_bytes`: smooth areas with noise, a red area that the
// fake engine finds. Different for every seed.
inline std::string NoisePicture(int width, int height, size_t target_bytes,
                                uint32_t seed) {
  std::mt19937 random(seed);
  HeapAllocator allocator;
  const size_t count = static_cast<size_t>(width) * height * 3;
  const std::shared_ptr<uint8_t> pixels = allocator.Allocate(count);
  for (size_t i = 0; i < count; ++i) {
    const auto x = static_cast<int>(i / 3 % width);
    const auto y = static_cast<int>(i / 3 / width);
    const bool red =
        x > width / 4 && x < width / 2 && y > height / 4 && y < height / 2;
    const int base = red ? (i % 3 == 0 ? 235 : 20) : 96 + x * 64 / width;
    pixels.get()[i] = static_cast<uint8_t>(
        std::clamp(base + static_cast<int>(random() % 41) - 20, 0, 255));
  }
  std::string best;
  for (int quality = 20; quality <= 95; quality += 5) {
    std::string jpeg = *EncodeJpeg(Image(pixels, width, height), quality);
    best = std::move(jpeg);
    if (best.size() >= target_bytes) break;
  }
  return best;
}

}  // namespace sam3
