#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sam3 {

// Why something failed, in a form that programs can act on: rides along in an
// absl::Status as a payload and leaves the process as google.rpc.ErrorInfo.
// The code alone does not tell a full queue from a picture that is too large.
// A status without a reason gets the usual one of its code.
//
//   return WithReason(absl::ResourceExhaustedError("100 jobs are waiting"),
//                     reason::kOverloaded);
//
// Pure functions; any thread.
namespace reason {
inline constexpr absl::string_view kInvalidRequest = "INVALID_REQUEST";
inline constexpr absl::string_view kMediaUndecodable = "MEDIA_UNDECODABLE";
inline constexpr absl::string_view kImageNotCached = "IMAGE_NOT_CACHED";
inline constexpr absl::string_view kLogitsNotCached = "LOGITS_NOT_CACHED";
inline constexpr absl::string_view kModelNotFound = "MODEL_NOT_FOUND";
inline constexpr absl::string_view kPromptNotFound = "PROMPT_NOT_FOUND";
inline constexpr absl::string_view kImageIdConflict = "IMAGE_ID_CONFLICT";
inline constexpr absl::string_view kSourceNotAllowed = "SOURCE_NOT_ALLOWED";
inline constexpr absl::string_view kMediaUnreachable = "MEDIA_UNREACHABLE";
inline constexpr absl::string_view kResumeRejected = "RESUME_REJECTED";
inline constexpr absl::string_view kOverloaded = "OVERLOADED";
inline constexpr absl::string_view kMediaTooLarge = "MEDIA_TOO_LARGE";
inline constexpr absl::string_view kDeviceMemory = "DEVICE_MEMORY";
inline constexpr absl::string_view kSlowConsumer = "SLOW_CONSUMER";
inline constexpr absl::string_view kSlowProducer = "SLOW_PRODUCER";
inline constexpr absl::string_view kNotOffered = "NOT_OFFERED";
inline constexpr absl::string_view kDeadline = "DEADLINE";
inline constexpr absl::string_view kCancelled = "CANCELLED";
inline constexpr absl::string_view kNotReady = "NOT_READY";
inline constexpr absl::string_view kDraining = "DRAINING";
inline constexpr absl::string_view kDeviceLost = "DEVICE_LOST";
inline constexpr absl::string_view kEngineFailure = "ENGINE_FAILURE";

inline constexpr absl::string_view kKeyMissing = "KEY_MISSING";
inline constexpr absl::string_view kKeyInvalid = "KEY_INVALID";
inline constexpr absl::string_view kKeyExpired = "KEY_EXPIRED";
inline constexpr absl::string_view kKeyRevoked = "KEY_REVOKED";
inline constexpr absl::string_view kKeyScope = "KEY_SCOPE";
inline constexpr absl::string_view kKeyLimit = "KEY_LIMIT";

inline constexpr absl::string_view kAll[] = {
    kInvalidRequest,   kMediaUndecodable, kImageNotCached,  kLogitsNotCached,
    kModelNotFound,    kPromptNotFound,   kImageIdConflict, kSourceNotAllowed,
    kMediaUnreachable, kResumeRejected,   kOverloaded,      kMediaTooLarge,
    kDeviceMemory,     kSlowConsumer,     kSlowProducer,    kNotOffered,
    kDeadline,         kCancelled,        kNotReady,        kDraining,
    kDeviceLost,       kEngineFailure,    kKeyMissing,      kKeyInvalid,
    kKeyExpired,       kKeyRevoked,       kKeyScope,        kKeyLimit};
}  // namespace reason

inline constexpr absl::string_view kReasonPayload = "sam3/reason";
inline constexpr absl::string_view kFieldPayload = "sam3/field";
inline constexpr absl::string_view kRetryAfterPayload = "sam3/retry-after-ms";

inline absl::Status WithReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReasonPayload, absl::Cord(reason));
  return status;
}

// Names the field of the request that is to blame, as in
// "prompts[1].exemplars[0].box".
inline absl::Status WithField(absl::Status status, absl::string_view field) {
  status.SetPayload(kFieldPayload, absl::Cord(field));
  return status;
}

// Empty when none was given.
inline std::string FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldPayload);
  return payload.has_value() ? std::string(*payload) : std::string();
}

// Tells the client when to try again; for overload and for a server that is
// starting or stopping.
inline absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryAfterPayload,
                    absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(delay))));
  return status;
}

// Empty when none was given.
inline std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  return payload.has_value() ? std::string(*payload) : std::string();
}

inline std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterPayload);
  int64_t milliseconds = 0;
  if (!payload.has_value() ||
      !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

}  // namespace sam3
