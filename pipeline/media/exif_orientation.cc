#include "pipeline/media/exif_orientation.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace sam3 {
namespace {

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kTypeShort = 3;

// Bounds-checked integers of a TIFF block in its own byte order.
class TiffBlock {
 public:
  explicit TiffBlock(absl::string_view bytes)
      : bytes_(bytes), big_endian_(absl::StartsWith(bytes, "MM")) {}

  bool HasByteOrder() const {
    return absl::StartsWith(bytes_, "II") || absl::StartsWith(bytes_, "MM");
  }

  std::optional<uint32_t> Read(uint64_t offset, int size) const {
    if (offset + static_cast<uint64_t>(size) > bytes_.size()) {
      return std::nullopt;
    }
    uint32_t value = 0;
    for (int i = 0; i < size; ++i) {
      const int at = big_endian_ ? i : size - 1 - i;
      value = value << 8 |
              static_cast<uint8_t>(bytes_[offset + static_cast<size_t>(at)]);
    }
    return value;
  }

 private:
  absl::string_view bytes_;
  bool big_endian_;
};

// Where a stored pixel goes: start + x * step_x + y * step_y, in pixels of the
// oriented picture.
struct Walk {
  int64_t start;
  int64_t step_x;
  int64_t step_y;
};

Walk WalkFor(int orientation, int64_t width, int64_t height) {
  const int64_t last = width * height - 1;
  switch (orientation) {
    case 2:
      return {width - 1, -1, width};
    case 3:
      return {last, -1, -width};
    case 4:
      return {width * (height - 1), 1, -width};
    case 5:
      return {0, height, 1};
    case 6:
      return {height - 1, height, -1};
    case 7:
      return {last, -height, -1};
    case 8:
      return {height * (width - 1), -height, 1};
    default:
      return {0, 1, width};
  }
}

}  // namespace

int ReadExifOrientation(absl::string_view exif) {
  exif = absl::StripPrefix(exif, absl::string_view("Exif\0\0", 6));
  const TiffBlock tiff(exif);
  if (!tiff.HasByteOrder() || tiff.Read(2, 2) != 42u) return 1;
  const std::optional<uint32_t> directory = tiff.Read(4, 4);
  if (!directory.has_value()) return 1;
  const uint32_t entries = tiff.Read(*directory, 2).value_or(0);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = uint64_t{*directory} + 2 + uint64_t{i} * 12;
    const std::optional<uint32_t> tag = tiff.Read(entry, 2);
    if (!tag.has_value()) return 1;
    if (*tag != kOrientationTag) continue;
    if (tiff.Read(entry + 2, 2) != kTypeShort) return 1;
    const uint32_t value = tiff.Read(entry + 8, 2).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

void CopyOriented(const uint8_t* source, int width, int height,
                  int64_t stride_bytes, int orientation, uint8_t* target) {
  if (orientation <= 1) {
    const size_t row_bytes = static_cast<size_t>(width) * 3;
    for (int y = 0; y < height; ++y) {
      std::memcpy(target + static_cast<size_t>(y) * row_bytes,
                  source + y * stride_bytes, row_bytes);
    }
    return;
  }
  // Square tiles keep both the rows that are read and the columns that are
  // written in the cache when the sides are swapped.
  constexpr int kTile = 32;
  const Walk walk = WalkFor(orientation, width, height);
  for (int tile_y = 0; tile_y < height; tile_y += kTile) {
    const int end_y = std::min(height, tile_y + kTile);
    for (int tile_x = 0; tile_x < width; tile_x += kTile) {
      const int end_x = std::min(width, tile_x + kTile);
      for (int y = tile_y; y < end_y; ++y) {
        const uint8_t* from = source + y * stride_bytes + int64_t{tile_x} * 3;
        for (int x = tile_x; x < end_x; ++x, from += 3) {
          uint8_t* to =
              target + (walk.start + x * walk.step_x + y * walk.step_y) * 3;
          to[0] = from[0];
          to[1] = from[1];
          to[2] = from[2];
        }
      }
    }
  }
}

}  // namespace sam3
