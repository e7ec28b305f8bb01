#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "pipeline/media/image_codec.h"

namespace sam3 {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kCoreHeaderBytes = 12;
constexpr uint32_t kInfoHeaderBytes = 40;
constexpr uint32_t kUncompressed = 0;
constexpr uint32_t kBitFields = 3;
constexpr uint32_t kAlphaBitFields = 6;

absl::Status UnsupportedBmp(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("BMP is of an unsupported kind: ", what,
                   "; save it as an uncompressed 24-bit BMP or as PNG"));
}

uint32_t Little(absl::string_view bytes, size_t at, int size) {
  uint32_t value = 0;
  for (int i = size; i-- > 0;) {
    value =
        value << 8 | static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]);
  }
  return value;
}

// One channel's place in a pixel, from its bit mask.
struct Channel {
  explicit Channel(uint32_t bits = 0)
      : mask(bits),
        shift(bits == 0 ? 0 : std::countr_zero(bits)),
        max(bits >> shift) {}

  uint8_t Take(uint32_t pixel) const {
    if (max == 0) return 0;
    return static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / max);
  }

  uint32_t mask;
  int shift;
  uint32_t max;
};

struct Layout {
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  int bits = 0;
  uint64_t pixels_at = 0;
  uint64_t stride = 0;
  uint64_t palette_at = 0;
  uint32_t palette_size = 0;
  size_t palette_entry_bytes = 4;
  std::array<Channel, 3> channels;
};

absl::Status ReadCoreHeader(absl::string_view bytes, Layout* layout) {
  layout->width = Little(bytes, 18, 2);
  layout->height = Little(bytes, 20, 2);
  layout->bits = static_cast<int>(Little(bytes, 24, 2));
  layout->palette_at = kFileHeaderBytes + kCoreHeaderBytes;
  layout->palette_entry_bytes = 3;
  if (layout->bits <= 8) layout->palette_size = 1u << layout->bits;
  return absl::OkStatus();
}

void SetDefaultChannels(Layout* layout) {
  if (layout->bits == 16) {
    layout->channels = {Channel(0x7C00), Channel(0x03E0), Channel(0x001F)};
  } else {
    layout->channels = {Channel(0xFF0000), Channel(0x00FF00),
                        Channel(0x0000FF)};
  }
}

absl::Status ReadBitMasks(absl::string_view bytes, Layout* layout) {
  if (layout->bits != 16 && layout->bits != 32) {
    return DamagedImage("BMP",
                        "it has channel masks but not 16 or 32 bits a pixel");
  }
  // The masks follow a 40-byte header and are part of the longer ones: the
  // same place.
  constexpr size_t kMasksAt = kFileHeaderBytes + kInfoHeaderBytes;
  if (bytes.size() < kMasksAt + 12)
    return DamagedImage("BMP", "its masks are cut off");
  uint32_t all = 0;
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t mask = Little(bytes, kMasksAt + i * 4, 4);
    const Channel channel(mask);
    const bool contiguous = (channel.max & (uint64_t{channel.max} + 1)) == 0;
    const bool fits = layout->bits == 32 || mask <= 0xFFFF;
    if (!contiguous || !fits || (all & mask) != 0) {
      return DamagedImage("BMP", "its channel masks make no sense");
    }
    all |= mask;
    layout->channels[i] = channel;
  }
  return absl::OkStatus();
}

absl::Status ReadInfoHeader(absl::string_view bytes, uint32_t header_bytes,
                            Layout* layout) {
  layout->width = static_cast<int32_t>(Little(bytes, 18, 4));
  layout->height = static_cast<int32_t>(Little(bytes, 22, 4));
  layout->top_down = layout->height < 0;
  if (layout->top_down) layout->height = -layout->height;
  layout->bits = static_cast<int>(Little(bytes, 28, 2));
  layout->palette_at = kFileHeaderBytes + header_bytes;
  SetDefaultChannels(layout);
  const uint32_t compression = Little(bytes, 30, 4);
  if (compression == kBitFields || compression == kAlphaBitFields) {
    if (absl::Status status = ReadBitMasks(bytes, layout); !status.ok()) {
      return status;
    }
  } else if (compression != kUncompressed) {
    return UnsupportedBmp(absl::StrCat("compression ", compression));
  }
  if (layout->bits <= 8) {
    const uint32_t full = 1u << layout->bits;
    const uint32_t used = Little(bytes, 46, 4);
    layout->palette_size = used == 0 ? full : std::min(used, full);
  }
  return absl::OkStatus();
}

absl::StatusOr<Layout> ReadLayout(absl::string_view bytes) {
  if (bytes.size() < kFileHeaderBytes + 4) {
    return DamagedImage("BMP", "it breaks off before its header ends");
  }
  const uint32_t header_bytes = Little(bytes, 14, 4);
  switch (header_bytes) {
    case kCoreHeaderBytes:
    case kInfoHeaderBytes:
    case 52:
    case 56:
    case 64:
    case 108:
    case 124:
      break;
    default:
      return DamagedImage("BMP",
                          absl::StrCat("a header of ", header_bytes, " bytes"));
  }
  if (bytes.size() < kFileHeaderBytes + header_bytes) {
    return DamagedImage("BMP", "it breaks off before its header ends");
  }
  Layout layout;
  absl::Status status = header_bytes == kCoreHeaderBytes
                            ? ReadCoreHeader(bytes, &layout)
                            : ReadInfoHeader(bytes, header_bytes, &layout);
  if (!status.ok()) return status;
  if (layout.width <= 0 || layout.height <= 0) {
    return DamagedImage("BMP", absl::StrCat("its header says ", layout.width,
                                            "x", layout.height, " pixels"));
  }
  switch (layout.bits) {
    case 1:
    case 4:
    case 8:
    case 16:
    case 24:
    case 32:
      break;
    default:
      return UnsupportedBmp(absl::StrCat(layout.bits, " bits a pixel"));
  }
  if (header_bytes == kCoreHeaderBytes) SetDefaultChannels(&layout);
  layout.pixels_at = Little(bytes, 10, 4);
  const uint64_t row_bits =
      static_cast<uint64_t>(layout.width) * static_cast<uint64_t>(layout.bits);
  layout.stride = (row_bits + 31) / 32 * 4;
  return layout;
}

using Palette = std::array<std::array<uint8_t, 3>, 256>;

// Entries that the file lacks stay black.
Palette ReadPalette(absl::string_view bytes, const Layout& layout) {
  Palette palette = {};
  for (uint32_t i = 0; i < layout.palette_size; ++i) {
    const uint64_t at = layout.palette_at + i * layout.palette_entry_bytes;
    if (at + 3 > std::min<uint64_t>(bytes.size(), layout.pixels_at)) break;
    for (size_t channel = 0; channel < 3; ++channel) {
      palette[i][channel] = static_cast<uint8_t>(bytes[at + 2 - channel]);
    }
  }
  return palette;
}

void ExpandIndexedRow(const uint8_t* row, const Layout& layout,
                      const Palette& palette, uint8_t* rgb) {
  const uint32_t mask = (1u << layout.bits) - 1;
  for (int64_t x = 0; x < layout.width; ++x, rgb += 3) {
    const int64_t bit = x * layout.bits;
    const auto shift = static_cast<uint32_t>(8 - layout.bits - bit % 8);
    const auto& color = palette[(row[bit / 8] >> shift) & mask];
    std::copy(color.begin(), color.end(), rgb);
  }
}

void ExpandDirectRow(const uint8_t* row, const Layout& layout, uint8_t* rgb) {
  const int bytes_per_pixel = layout.bits / 8;
  for (int64_t x = 0; x < layout.width; ++x, rgb += 3) {
    uint32_t pixel = 0;
    for (int i = bytes_per_pixel; i-- > 0;) pixel = pixel << 8 | row[i];
    row += bytes_per_pixel;
    for (size_t i = 0; i < 3; ++i) rgb[i] = layout.channels[i].Take(pixel);
  }
}

}  // namespace

absl::StatusOr<StoredImage> ReadBmpHeader(absl::string_view bytes) {
  absl::StatusOr<Layout> layout = ReadLayout(bytes);
  if (!layout.ok()) return layout.status();
  StoredImage image;
  image.width = layout->width;
  image.height = layout->height;
  // At most 2^31 rows of 2^33 bytes: no overflow.
  image.min_file_bytes = static_cast<int64_t>(
      layout->pixels_at +
      std::min<uint64_t>(layout->stride, uint64_t{1} << 31) *
          static_cast<uint64_t>(layout->height));
  return image;
}

absl::Status DecodeBmp(absl::string_view bytes, const StoredImage& header,
                       uint8_t* rgb) {
  absl::StatusOr<Layout> layout = ReadLayout(bytes);
  if (!layout.ok()) return layout.status();
  if (header.min_file_bytes > static_cast<int64_t>(bytes.size())) {
    return DamagedImage("BMP", "it breaks off before its last row");
  }
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const Palette palette = ReadPalette(bytes, *layout);
  for (int64_t y = 0; y < layout->height; ++y) {
    const int64_t stored = layout->top_down ? y : layout->height - 1 - y;
    const uint8_t* row = data + layout->pixels_at +
                         static_cast<uint64_t>(stored) * layout->stride;
    if (layout->bits <= 8) {
      ExpandIndexedRow(row, *layout, palette, rgb);
    } else {
      ExpandDirectRow(row, *layout, rgb);
    }
    rgb += layout->width * 3;
  }
  return absl::OkStatus();
}

}  // namespace sam3
