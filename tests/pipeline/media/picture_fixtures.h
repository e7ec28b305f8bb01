#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "inference/image.h"

namespace sam3 {

// Counts the bytes that decoding asks for; refuses beyond `max_bytes`.
class CountingAllocator final : public HostAllocator {
 public:
  explicit CountingAllocator(size_t max_bytes = SIZE_MAX)
      : max_bytes_(max_bytes) {}
  std::shared_ptr<uint8_t> Allocate(size_t size_bytes) override;
  size_t total_bytes() const { return total_bytes_; }

 private:
  const size_t max_bytes_;
  size_t total_bytes_ = 0;
};

// A picture in which no two rows or columns are alike.
Image MakePattern(int width, int height);

// `image` as it looks when turned by EXIF `orientation`, pixel by pixel from
// the definition in the EXIF standard.
Image Oriented(const Image& image, int orientation);

// A TIFF block with just the orientation tag.
std::string ExifBlock(int orientation, bool big_endian);

std::string MakeJpeg(const Image& image);
std::string MakePng(const Image& image);
std::string MakeWebp(const Image& image);
std::string MakeBmp(const Image& image);

// The same file with the orientation tag put in.
std::string WithExif(absl::string_view jpeg_or_png, int orientation,
                     bool big_endian);

// A complete PNG chunk with its checksum.
std::string PngChunk(absl::string_view type, absl::string_view payload);

bool SamePixels(const Image& a, const Image& b);

}  // namespace sam3
