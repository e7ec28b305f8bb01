#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pipeline/error_reason.h"

namespace sam3 {

// Why a URL gave no picture, in more detail than the reason that a client acts
// on; rides along in the status, for metrics. Pure functions; any thread.
enum class UrlFailure {
  // A rule forbids it: SOURCE_NOT_ALLOWED.
  kOff,
  kSyntax,
  kScheme,
  kHost,
  kPort,
  kAddress,
  kRedirect,
  // It was tried: MEDIA_UNREACHABLE, or MEDIA_TOO_LARGE.
  kResolve,
  kConnect,
  kTls,
  kStatus,
  kBroken,
  kIdle,
  kTimeout,
  kTooLarge,
};
inline constexpr absl::string_view kUrlFailureNames[] = {
    "off",     "syntax",   "scheme",  "host",    "port",
    "address", "redirect", "resolve", "connect", "tls",
    "status",  "broken",   "idle",    "timeout", "too_large"};
inline constexpr size_t kUrlFailureCount = std::size(kUrlFailureNames);
static_assert(static_cast<size_t>(UrlFailure::kTooLarge) + 1 ==
              kUrlFailureCount);

// Whether a rule forbids it, rather than an attempt that failed.
inline bool IsRefusal(UrlFailure failure) {
  return failure <= UrlFailure::kRedirect;
}

inline constexpr absl::string_view kUrlFailurePayload = "sam3/url-failure";

inline absl::Status UrlFailed(UrlFailure failure, absl::string_view message) {
  absl::Status status;
  if (IsRefusal(failure)) {
    status = WithReason(absl::PermissionDeniedError(message),
                        reason::kSourceNotAllowed);
  } else if (failure == UrlFailure::kTooLarge) {
    status = WithReason(absl::ResourceExhaustedError(message),
                        reason::kMediaTooLarge);
  } else {
    status = WithReason(absl::FailedPreconditionError(message),
                        reason::kMediaUnreachable);
  }
  status.SetPayload(kUrlFailurePayload,
                    absl::Cord(absl::StrCat(static_cast<int>(failure))));
  return status;
}

// Nothing for a status that was made otherwise.
inline std::optional<UrlFailure> UrlFailureOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kUrlFailurePayload);
  int failure = 0;
  if (!payload.has_value() ||
      !absl::SimpleAtoi(std::string(*payload), &failure)) {
    return std::nullopt;
  }
  return static_cast<UrlFailure>(failure);
}

}  // namespace sam3
