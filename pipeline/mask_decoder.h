#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "pipeline/mask.h"
#include "pipeline/mask_codec.h"

namespace sam3 {

// A mask that a client sends as runs: RLE, PNG or bits. Of a PNG the size may
// be 0, as the file tells it; what is brighter than grey 127 is inside. Pure;
// any thread; blocks for as long as decoding takes, a tenth of a second for 33
// megapixels. INVALID_ARGUMENT for other formats, for a mask without pixels or
// with more than `max_pixels`, and for what cannot be decoded; no memory is
// taken in proportion to what such a mask claims.
absl::StatusOr<MaskRuns> DecodeMask(const EncodedMask& mask,
                                    int64_t max_pixels);

}  // namespace sam3
