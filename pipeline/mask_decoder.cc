#include "pipeline/mask_decoder.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "inference/image.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

absl::Status CheckSize(int64_t width, int64_t height, int64_t max_pixels) {
  if (width <= 0 || height <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "needs width_px and height_px, has ", width, " x ", height));
  }
  if (height > max_pixels / width) {
    return absl::InvalidArgumentError(absl::StrCat("has ", width, " x ", height,
                                                   " pixels; at most ",
                                                   max_pixels, " are allowed"));
  }
  return absl::OkStatus();
}

// `inside` tells it of x and y.
template <typename Inside>
MaskRuns RunsOf(int width, int height, const Inside& inside) {
  MaskRuns runs{width, height, {}};
  bool current = false;
  uint32_t length = 0;
  for (int x = 0; x < width; ++x) {
    for (int y = 0; y < height; ++y) {
      if (inside(x, y) != current) {
        runs.counts.push_back(length);
        length = 0;
        current = !current;
      }
      ++length;
    }
  }
  runs.counts.push_back(length);
  return runs;
}

absl::StatusOr<MaskRuns> FromPng(const PngMask& mask, int64_t max_pixels) {
  constexpr uint8_t kMiddle = 127;
  const ImageLimits limits{.max_bytes = static_cast<int64_t>(mask.bytes.size()),
                           .max_pixels = max_pixels};
  SAM3_ASSIGN_OR_RETURN(const ImageHeader header,
                        ReadImageHeader(mask.bytes, limits));
  if (header.format != ImageFormat::kPng) {
    return absl::InvalidArgumentError("is no PNG");
  }
  const bool told = mask.width != 0 || mask.height != 0;
  if (told && (mask.width != header.width || mask.height != header.height)) {
    return absl::InvalidArgumentError(
        absl::StrCat("is a PNG of ", header.width, " x ", header.height,
                     " pixels, but width_px and height_px say ", mask.width,
                     " x ", mask.height));
  }
  HeapAllocator allocator;
  SAM3_ASSIGN_OR_RETURN(const Image image,
                        DecodeImage(mask.bytes, limits, allocator));
  const int64_t width = image.width();
  const uint8_t* pixels = image.pixels();
  return RunsOf(image.width(), image.height(), [pixels, width](int x, int y) {
    return pixels[(y * width + x) * 3] > kMiddle;
  });
}

absl::StatusOr<MaskRuns> FromBits(const BitsMask& mask) {
  const int64_t stride = (int64_t{mask.crop_width} + 7) / 8;
  const bool lies_inside = mask.crop_x >= 0 && mask.crop_y >= 0 &&
                           mask.crop_width >= 0 && mask.crop_height >= 0 &&
                           mask.crop_width <= mask.width - mask.crop_x &&
                           mask.crop_height <= mask.height - mask.crop_y;
  if (!lies_inside) {
    return absl::InvalidArgumentError("has a crop that lies outside the mask");
  }
  if (static_cast<int64_t>(mask.bytes.size()) != stride * mask.crop_height) {
    return absl::InvalidArgumentError(absl::StrCat("has ", mask.bytes.size(),
                                                   " bytes; the crop needs ",
                                                   stride * mask.crop_height));
  }
  return RunsOf(mask.width, mask.height, [&mask, stride](int x, int y) {
    const int column = x - mask.crop_x;
    const int row = y - mask.crop_y;
    if (column < 0 || column >= mask.crop_width || row < 0 ||
        row >= mask.crop_height) {
      return false;
    }
    const auto byte = static_cast<uint8_t>(
        mask.bytes[static_cast<size_t>(row * stride + column / 8)]);
    return ((byte >> (7 - column % 8)) & 1) != 0;
  });
}

}  // namespace

absl::StatusOr<MaskRuns> DecodeMask(const EncodedMask& mask,
                                    int64_t max_pixels) {
  if (const auto* rle = std::get_if<RleMask>(&mask)) {
    SAM3_RETURN_IF_ERROR(CheckSize(rle->width, rle->height, max_pixels));
    return RunsFromCoco(*rle);
  }
  if (const auto* bits = std::get_if<BitsMask>(&mask)) {
    SAM3_RETURN_IF_ERROR(CheckSize(bits->width, bits->height, max_pixels));
    return FromBits(*bits);
  }
  if (const auto* png = std::get_if<PngMask>(&mask)) {
    auto runs = FromPng(*png, max_pixels);
    if (runs.ok()) return runs;
    return absl::InvalidArgumentError(runs.status().message());
  }
  return absl::InvalidArgumentError("must be rle, png or bits");
}

}  // namespace sam3
