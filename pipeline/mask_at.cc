#include "pipeline/mask_at.h"

#include <algorithm>
#include <cmath>

namespace sam3 {

absl::StatusOr<EncodedMask> EncodeMaskAt(const MaskRuns& full,
                                         const LowResMask& low,
                                         const MaskOptions& options) {
  int width = full.width;
  int height = full.height;
  const int longest = std::max(width, height);
  if (options.resolution == MaskResolution::kModel) {
    width = low.width;
    height = low.height;
  } else if (options.resolution == MaskResolution::kMaxSide &&
             options.max_side < longest) {
    const double scale = static_cast<double>(options.max_side) / longest;
    const auto scaled = [scale](int side) {
      return std::max(1, static_cast<int>(std::lround(side * scale)));
    };
    width = scaled(width);
    height = scaled(height);
  }
  if (options.format == MaskFormat::kLogits) {
    return EncodedMask(LogitsFromLowRes(low, width, height));
  }
  const bool at_full = width == full.width && height == full.height;
  return at_full ? EncodeMask(full, options)
                 : EncodeMask(RunsFromLowRes(low, width, height), options);
}

}  // namespace sam3
