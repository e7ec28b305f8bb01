#pragma once

#include "inference/association/options.h"
#include "pipeline/stream_config.h"

namespace sam3 {

// How a stream's objects are associated: the reference's thresholds, bounded as
// a stream without an end needs it. Pure.
AssociationOptions MakeAssociationOptions(const TrackConfig& config);

}  // namespace sam3
