#pragma once

#include "pipeline/mask.h"
#include "pipeline/mask_codec.h"

namespace sam3 {

// Border rings of a mask, outer rings first found first, holes with the ring
// that encloses them as parent. With options.outer_only exactly the external
// contours that OpenCV's findContours gives (all points, no approximation).
// options.polygon_tolerance > 0 simplifies every ring by Douglas-Peucker.
// Pure; any thread; blocks for as long as tracing takes.
PolygonMask TracePolygons(const MaskRuns& runs, const MaskOptions& options);

}  // namespace sam3
