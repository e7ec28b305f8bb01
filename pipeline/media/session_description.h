#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// The video that an RTSP server offers in its session description (SDP, RFC
// 4566).
struct OfferedVideo {
  int payload_type = 0;
  // Where it is set up: absolute, relative to the session's own URL, or empty.
  std::string control;
  // The same of all media together, for playing them.
  std::string session_control;
  // A description of this video alone, put together from the few lines that
  // tell how it is packed; without anybody's addresses.
  std::string description;
};

// The first video of a codec that can be decoded. INVALID_ARGUMENT
// (MEDIA_UNDECODABLE) when there is none. Pure.
absl::StatusOr<OfferedVideo> FindVideo(absl::string_view description);

}  // namespace sam3
