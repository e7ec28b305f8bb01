#pragma once

#include "absl/types/span.h"

namespace sam3 {

// Fills small holes and then wipes small specks of one mask, in place.
// Connected components of pixels at or below 0 that have at most `max_area`
// pixels become +0.1, whether or not they are enclosed; then components above 0
// that have at most `max_area` pixels and at most half (rounded down) of all
// pixels above 0 become -0.1. Pixels are connected to all eight neighbours.
// `logits`: width * height fp32, row-major. A `max_area` of 0 or less changes
// nothing. Pure but for `logits`; any thread; does not block.
// Reference: fill_holes_in_mask_scores of sam3_video, with its kernel.
void FillHoles(int width, int height, int max_area, absl::Span<float> logits);

}  // namespace sam3
