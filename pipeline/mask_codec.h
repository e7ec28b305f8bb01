#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/detection.h"
#include "inference/geometry.h"
#include "pipeline/mask.h"

namespace sam3 {

// A mask at full resolution as runs, before any wire format: column by column
// from the left, each column top to bottom, background first. The common form
// from which areas, boxes, overlaps and every wire format follow without a
// dense picture of the mask.
struct MaskRuns {
  int width = 0;
  int height = 0;
  // Alternating background and foreground run lengths; sums to width * height.
  std::vector<uint32_t> counts;
};

// Upsamples `mask` to width x height and thresholds it, without building the
// dense result. Bit-identical to bilinear upsampling in fp32 (half-pixel
// centres, no antialias) followed by `> threshold`.
MaskRuns RunsFromLowRes(const LowResMask& mask, int width, int height);

// The numbers behind a mask, upsampled to width x height in the same way. What
// the model gives as probabilities becomes logits again, which are then between
// -16 and 16.
LogitsMask LogitsFromLowRes(const LowResMask& mask, int width, int height);

// Number of foreground pixels.
int64_t MaskArea(const MaskRuns& runs);

// Tight box in pixels, half-open; all zero for an empty mask.
Box MaskBox(const MaskRuns& runs);

// Area of the intersection of two masks of the same size.
int64_t MaskIntersection(const MaskRuns& a, const MaskRuns& b);

// What of `a` is not in `b`, a mask of the same size.
MaskRuns MaskDifference(const MaskRuns& a, const MaskRuns& b);

// Turns runs into what goes on the wire. `runs` already has the resolution
// that `options` asks for; only format and polygon options are read. Not for
// MaskFormat::kLogits, which runs do not have.
// INTERNAL when a codec library fails.
absl::StatusOr<EncodedMask> EncodeMask(const MaskRuns& runs,
                                       const MaskOptions& options);

// COCO's ASCII string for run lengths, and back. INVALID_ARGUMENT for a string
// that is no such thing or does not fill width x height.
std::string CocoCountsFromRuns(absl::Span<const uint32_t> counts);
absl::StatusOr<MaskRuns> RunsFromCoco(const RleMask& rle);

// Greedy non-maximum suppression on masks: walks `order` (indices, best first)
// and drops every mask whose IoU with an already kept one is strictly greater
// than `iou_threshold`. Returns kept indices in that order.
std::vector<int> SuppressOverlaps(absl::Span<const MaskRuns> masks,
                                  absl::Span<const int> order,
                                  float iou_threshold);

}  // namespace sam3
