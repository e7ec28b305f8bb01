#pragma once

#include <cstdint>

#include "pipeline/stream_events.h"

namespace sam3 {

// What readers of all kinds tell of their source. Pure functions.

// Frames have another size from now on; the rate counts for nothing.
SourceEvent ResolutionChanged(const SourceFacts& facts);

// So many parts more, at least one, could not be decoded; see VideoDecoder.
SourceEvent PartsDamaged(int64_t parts);

}  // namespace sam3
