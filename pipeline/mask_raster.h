#pragma once

#include <cstdint>
#include <vector>

#include "pipeline/mask_codec.h"

namespace sam3 {

// The part of a mask inside its tight box, dense: what codecs that walk pixels
// need. Pure; any thread.
struct MaskRaster {
  int x = 0;  // position of the crop in the mask
  int y = 0;
  int width = 0;  // 0 for an empty mask
  int height = 0;
  std::vector<uint8_t> pixels;  // height * width, row-major, 0 or 255
};

MaskRaster CropToBox(const MaskRuns& runs);

}  // namespace sam3
