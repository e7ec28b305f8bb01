#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sam3 {

// The eight ways a camera can have been held, numbered as in EXIF tag 0x0112.
// Pure functions; any thread.

// Orientation 1..8 stored in a TIFF-structured EXIF block (with or without the
// "Exif\0\0" prefix that JPEG and some WebP writers put in front). 1 when the
// tag is absent or the block is damaged: a picture is worth more than its
// metadata.
int ReadExifOrientation(absl::string_view exif);

// True when the orientation swaps width and height.
inline bool SwapsSides(int orientation) { return orientation >= 5; }

// Copies `source` (stored, `width` x `height` RGB, rows of `stride_bytes`) to
// `target` (oriented, rows without padding, width * height * 3 bytes).
void CopyOriented(const uint8_t* source, int width, int height,
                  int64_t stride_bytes, int orientation, uint8_t* target);

}  // namespace sam3
