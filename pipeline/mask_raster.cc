#include "pipeline/mask_raster.h"

#include <algorithm>

namespace sam3 {

MaskRaster CropToBox(const MaskRuns& runs) {
  const Box box = MaskBox(runs);
  MaskRaster raster;
  raster.x = static_cast<int>(box.x0);
  raster.y = static_cast<int>(box.y0);
  raster.width = static_cast<int>(box.width());
  raster.height = static_cast<int>(box.height());
  raster.pixels.assign(static_cast<size_t>(raster.width) * raster.height, 0);
  int64_t position = 0;
  for (size_t i = 0; i < runs.counts.size(); ++i) {
    const int64_t end = position + runs.counts[i];
    while (i % 2 == 1 && position < end) {
      const int64_t x = position / runs.height;
      const int64_t y = position % runs.height;
      const int64_t length = std::min<int64_t>(end - position, runs.height - y);
      uint8_t* pixel =
          raster.pixels.data() + (y - raster.y) * raster.width + (x - raster.x);
      for (int64_t k = 0; k < length; ++k) pixel[k * raster.width] = 255;
      position += length;
    }
    position = end;
  }
  return raster;
}

}  // namespace sam3
