#pragma once

#include "absl/status/statusor.h"
#include "inference/detection.h"
#include "pipeline/mask.h"
#include "pipeline/mask_codec.h"

namespace sam3 {

// Encodes a mask at the resolution that `options` ask for. `full` is `low` at
// full resolution, perhaps without some pixels, which other resolutions do not
// know. Pure; any thread. INTERNAL when a codec fails.
absl::StatusOr<EncodedMask> EncodeMaskAt(const MaskRuns& full,
                                         const LowResMask& low,
                                         const MaskOptions& options);

}  // namespace sam3
