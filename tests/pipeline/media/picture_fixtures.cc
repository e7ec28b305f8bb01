#include "tests/pipeline/media/picture_fixtures.h"

#include <webp/encode.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pipeline/media/image_writer.h"

namespace sam3 {
namespace {

std::string Big(uint32_t value, int size) {
  std::string bytes;
  for (int i = size; i-- > 0;) {
    bytes.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  }
  return bytes;
}

std::string Little(uint32_t value, int size) {
  std::string bytes = Big(value, size);
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

uint32_t Crc32(absl::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

}  // namespace

std::shared_ptr<uint8_t> CountingAllocator::Allocate(size_t size_bytes) {
  if (size_bytes > max_bytes_ - total_bytes_) return nullptr;
  total_bytes_ += size_bytes;
  return HeapAllocator().Allocate(size_bytes);
}

Image MakePattern(int width, int height) {
  std::shared_ptr<uint8_t> pixels =
      HeapAllocator().Allocate(static_cast<size_t>(width * height) * 3);
  uint8_t* at = pixels.get();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      *at++ = static_cast<uint8_t>(x * 7 + y);
      *at++ = static_cast<uint8_t>(y * 11 + x / 3);
      *at++ = static_cast<uint8_t>((x ^ y) * 5);
    }
  }
  return Image(std::move(pixels), width, height);
}

Image Oriented(const Image& image, int orientation) {
  const int w = image.width();
  const int h = image.height();
  const bool swap = orientation >= 5;
  const int out_w = swap ? h : w;
  const int out_h = swap ? w : h;
  std::shared_ptr<uint8_t> pixels =
      HeapAllocator().Allocate(image.size_bytes());
  for (int y = 0; y < out_h; ++y) {
    for (int x = 0; x < out_w; ++x) {
      // Which stored pixel is shown at (x, y).
      int from_x = swap ? y : x;
      int from_y = swap ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 ||
          orientation == 8) {
        from_x = w - 1 - from_x;
      }
      if (orientation == 3 || orientation == 4 || orientation == 6 ||
          orientation == 7) {
        from_y = h - 1 - from_y;
      }
      std::memcpy(pixels.get() + (y * out_w + x) * 3,
                  image.pixels() + (from_y * w + from_x) * 3, 3);
    }
  }
  return Image(std::move(pixels), out_w, out_h);
}

std::string ExifBlock(int orientation, bool big_endian) {
  const auto number = [&](uint32_t value, int size) {
    return big_endian ? Big(value, size) : Little(value, size);
  };
  return absl::StrCat(big_endian ? "MM" : "II", number(42, 2), number(8, 4),
                      // Two entries: another tag first.
                      number(2, 2),  //
                      number(0x0100, 2), number(4, 2), number(1, 4),
                      number(77, 4),  //
                      number(0x0112, 2), number(3, 2), number(1, 4),
                      number(static_cast<uint32_t>(orientation), 2),
                      number(0, 2), number(0, 4));
}

std::string MakeJpeg(const Image& image) { return *EncodeJpeg(image, 92); }

std::string MakePng(const Image& image) { return *EncodePng(image); }

std::string MakeWebp(const Image& image) {
  uint8_t* file = nullptr;
  const size_t size = WebPEncodeLosslessRGB(
      image.pixels(), image.width(), image.height(), image.width() * 3, &file);
  std::string bytes(reinterpret_cast<const char*>(file), size);
  WebPFree(file);
  return bytes;
}

std::string MakeBmp(const Image& image) {
  const auto width = static_cast<uint32_t>(image.width());
  const auto height = static_cast<uint32_t>(image.height());
  const size_t padding = (4 - width * 3 % 4) % 4;
  std::string rows;
  for (uint32_t y = height; y-- > 0;) {
    const uint8_t* row = image.pixels() + size_t{y} * width * 3;
    for (uint32_t x = 0; x < width; ++x, row += 3) {
      rows.push_back(static_cast<char>(row[2]));
      rows.push_back(static_cast<char>(row[1]));
      rows.push_back(static_cast<char>(row[0]));
    }
    rows.append(padding, '\0');
  }
  return absl::StrCat("BM", Little(static_cast<uint32_t>(54 + rows.size()), 4),
                      Little(0, 4), Little(54, 4),  //
                      Little(40, 4), Little(width, 4), Little(height, 4),
                      Little(1, 2), Little(24, 2), std::string(24, '\0'), rows);
}

std::string WithExif(absl::string_view jpeg_or_png, int orientation,
                     bool big_endian) {
  const std::string exif = ExifBlock(orientation, big_endian);
  if (absl::StartsWith(jpeg_or_png, "\xFF\xD8")) {
    return absl::StrCat(
        "\xFF\xD8\xFF\xE1", Big(static_cast<uint32_t>(exif.size() + 8), 2),
        absl::string_view("Exif\0\0", 6), exif, jpeg_or_png.substr(2));
  }
  constexpr size_t kAfterIhdr = 33;
  return absl::StrCat(jpeg_or_png.substr(0, kAfterIhdr), PngChunk("eXIf", exif),
                      jpeg_or_png.substr(kAfterIhdr));
}

std::string PngChunk(absl::string_view type, absl::string_view payload) {
  const std::string body = absl::StrCat(type, payload);
  return absl::StrCat(Big(static_cast<uint32_t>(payload.size()), 4), body,
                      Big(Crc32(body), 4));
}

bool SamePixels(const Image& a, const Image& b) {
  return a.width() == b.width() && a.height() == b.height() &&
         std::memcmp(a.pixels(), b.pixels(), a.size_bytes()) == 0;
}

}  // namespace sam3
