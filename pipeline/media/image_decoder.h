#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/image.h"

namespace sam3 {

// What a still image may cost. A file beyond a limit is refused from its
// header, before any memory is taken for pixels.
struct ImageLimits {
  int64_t max_bytes = 20'000'000;
  int64_t max_pixels = 33'000'000;
  int max_side = 16'384;
};

enum class ImageFormat { kJpeg, kPng, kWebp, kBmp };

absl::string_view ImageFormatName(ImageFormat format);

struct ImageHeader {
  ImageFormat format = ImageFormat::kJpeg;
  // Size after the EXIF orientation has been applied.
  int width = 0;
  int height = 0;
  // EXIF orientation 1..8 as stored; 1 when absent. DecodeImage applies it.
  int exif_orientation = 1;
};

// Reads format, size and orientation from the first bytes of a file; takes no
// memory in proportion to what the header claims. Pure; any thread.
// INVALID_ARGUMENT: empty, unknown format, truncated or damaged header.
// RESOURCE_EXHAUSTED: beyond `limits`; the message names the limit.
absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view bytes,
                                            const ImageLimits& limits);

// Decodes to oriented RGB in memory from `allocator`; alpha is dropped, grey
// and palettes are expanded, CMYK is converted. Blocks for as long as decoding
// takes; any thread. Errors as ReadImageHeader, and INVALID_ARGUMENT for data
// that cannot be decoded to the end.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes,
                                  const ImageLimits& limits,
                                  HostAllocator& allocator);

}  // namespace sam3
