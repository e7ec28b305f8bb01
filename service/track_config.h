#pragma once

#include <optional>

#include "pipeline/stream_events.h"
#include "sam3/v1/stream.pb.h"
#include "service/geometry_reader.h"
#include "service/limits.h"

namespace sam3 {

// How a stream follows objects, found or given; nothing where it does not.
// Pure.
std::optional<TrackConfig> ReadTrackConfig(const v1::StreamConfig& config,
                                           const ServiceLimits& limits,
                                           const Violate& violate);

}  // namespace sam3
