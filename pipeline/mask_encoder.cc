#include <algorithm>
#include <utility>
#include <vector>

#include "inference/base/status_macros.h"
#include "pipeline/mask_codec.h"
#include "pipeline/mask_raster.h"
#include "pipeline/media/image_writer.h"
#include "pipeline/polygon.h"

namespace sam3 {
namespace {

BitsMask PackBits(const MaskRuns& runs) {
  const MaskRaster raster = CropToBox(runs);
  BitsMask bits{runs.width,   runs.height,   raster.x, raster.y,
                raster.width, raster.height, {}};
  const size_t row_bytes = (static_cast<size_t>(raster.width) + 7) / 8;
  bits.bytes.assign(row_bytes * static_cast<size_t>(raster.height), '\0');
  for (int y = 0; y < raster.height; ++y) {
    const uint8_t* row =
        raster.pixels.data() + static_cast<size_t>(y) * raster.width;
    char* out = bits.bytes.data() + static_cast<size_t>(y) * row_bytes;
    for (int x = 0; x < raster.width; ++x) {
      if (row[x] != 0)
        out[x / 8] = static_cast<char>(out[x / 8] | 0x80 >> x % 8);
    }
  }
  return bits;
}

absl::StatusOr<EncodedMask> EncodePngMask(const MaskRuns& runs) {
  const MaskRaster raster = CropToBox(runs);
  std::vector<uint8_t> pixels(static_cast<size_t>(runs.width) * runs.height, 0);
  for (int y = 0; y < raster.height; ++y) {
    std::copy_n(raster.pixels.data() + static_cast<size_t>(y) * raster.width,
                raster.width,
                pixels.data() +
                    (static_cast<size_t>(raster.y) + y) * runs.width +
                    raster.x);
  }
  SAM3_ASSIGN_OR_RETURN(std::string png,
                        EncodeGreyPng(pixels, runs.width, runs.height));
  return EncodedMask(PngMask{runs.width, runs.height, std::move(png)});
}

}  // namespace

absl::StatusOr<EncodedMask> EncodeMask(const MaskRuns& runs,
                                       const MaskOptions& options) {
  switch (options.format) {
    case MaskFormat::kRle:
      return EncodedMask(
          RleMask{runs.width, runs.height, CocoCountsFromRuns(runs.counts)});
    case MaskFormat::kPolygon:
      return EncodedMask(TracePolygons(runs, options));
    case MaskFormat::kPng:
      return EncodePngMask(runs);
    case MaskFormat::kBits:
      return EncodedMask(PackBits(runs));
    case MaskFormat::kLogits:
    case MaskFormat::kNone:
      return EncodedMask(std::monostate());
  }
  return absl::InternalError("unknown mask format");
}

}  // namespace sam3
