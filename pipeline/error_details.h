#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sam3 {

// What a client should know about an error beyond its code and message. It
// travels inside the absl::Status as payloads, so that every layer between the
// place that knows and the wire can stay ignorant of it. Pure functions.

// Why, as one of the words that segmentation_service.proto lists under
// "Errors"; `reason` is one of the constants below. Does nothing to OK.
absl::Status WithReason(absl::Status status, absl::string_view reason);
// Empty when the error carries none.
std::string ReasonOf(const absl::Status& status);

// Path of the request's field that is to blame, as in
// "prompts[1].exemplars[0].box".
absl::Status WithField(absl::Status status, absl::string_view field);
std::string FieldOf(const absl::Status& status);

// How long a client should wait before it tries again.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

namespace error_reason {
inline constexpr absl::string_view kInvalidRequest = "INVALID_REQUEST";
inline constexpr absl::string_view kMediaUndecodable = "MEDIA_UNDECODABLE";
inline constexpr absl::string_view kImageNotCached = "IMAGE_NOT_CACHED";
inline constexpr absl::string_view kPromptNotFound = "PROMPT_NOT_FOUND";
inline constexpr absl::string_view kImageIdConflict = "IMAGE_ID_CONFLICT";
inline constexpr absl::string_view kOverloaded = "OVERLOADED";
inline constexpr absl::string_view kMediaTooLarge = "MEDIA_TOO_LARGE";
inline constexpr absl::string_view kDeviceMemory = "DEVICE_MEMORY";
inline constexpr absl::string_view kSlowConsumer = "SLOW_CONSUMER";
inline constexpr absl::string_view kDeadline = "DEADLINE";
inline constexpr absl::string_view kCancelled = "CANCELLED";
inline constexpr absl::string_view kNotReady = "NOT_READY";
inline constexpr absl::string_view kDraining = "DRAINING";
inline constexpr absl::string_view kDeviceLost = "DEVICE_LOST";
inline constexpr absl::string_view kEngineFailure = "ENGINE_FAILURE";
}  // namespace error_reason

}  // namespace sam3
