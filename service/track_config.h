#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pipeline/stream_events.h"
#include "sam3/v1/stream.pb.h"

namespace sam3 {

// How a stream follows objects; nothing where it does not. Calls `violate` with
// the field and what is wrong with it. Pure.
std::optional<TrackConfig> ReadTrackConfig(
    const v1::StreamConfig& config,
    const std::function<void(std::string, std::string)>& violate);

}  // namespace sam3
