#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {

// Why a camera gives no pictures, in the classes that whoever looks after it
// thinks in; rides along in the status. A status without a class is no failure
// of the source, and trying again will not help. Pure functions; any thread.
enum class SourceFailure {
  kConnection,
  kAuth,
  kTlsCertificate,
  kTlsHandshake,
  kTimeout,
  kNotFound,
  kCodecUnsupported,
};
inline constexpr absl::string_view kSourceFailureNames[] = {
    "connection", "auth",      "tls_certificate",  "tls_handshake",
    "timeout",    "not_found", "codec_unsupported"};
inline constexpr size_t kSourceFailureCount = std::size(kSourceFailureNames);
static_assert(static_cast<size_t>(SourceFailure::kCodecUnsupported) + 1 ==
              kSourceFailureCount);

inline constexpr absl::string_view kSourceFailurePayload =
    "sam3/source-failure";

// FAILED_PRECONDITION (MEDIA_UNREACHABLE), or INVALID_ARGUMENT
// (MEDIA_UNDECODABLE) for a codec.
inline absl::Status SourceFailed(SourceFailure failure,
                                 absl::string_view message) {
  absl::Status status = failure == SourceFailure::kCodecUnsupported
                            ? WithReason(absl::InvalidArgumentError(message),
                                         reason::kMediaUndecodable)
                            : WithReason(absl::FailedPreconditionError(message),
                                         reason::kMediaUnreachable);
  status.SetPayload(kSourceFailurePayload,
                    absl::Cord(absl::StrCat(static_cast<int>(failure))));
  return status;
}

// The class that `status` was given, or that its reason stands for.
inline std::optional<SourceFailure> SourceFailureOf(
    const absl::Status& status) {
  const auto payload = status.GetPayload(kSourceFailurePayload);
  int failure = 0;
  if (payload.has_value() &&
      absl::SimpleAtoi(std::string(*payload), &failure)) {
    return static_cast<SourceFailure>(failure);
  }
  if (const auto url = UrlFailureOf(status); url.has_value()) {
    if (IsRefusal(*url)) return std::nullopt;
    switch (*url) {
      case UrlFailure::kIdle:
      case UrlFailure::kTimeout:
        return SourceFailure::kTimeout;
      case UrlFailure::kTls:
        return SourceFailure::kTlsHandshake;
      default:
        return SourceFailure::kConnection;
    }
  }
  if (ReasonOf(status) == reason::kMediaUndecodable) {
    return SourceFailure::kCodecUnsupported;
  }
  return std::nullopt;
}

}  // namespace sam3
