#include "pipeline/error_details.h"

#include "absl/strings/cord.h"

namespace sam3 {
namespace {

constexpr absl::string_view kReasonUrl = "sam3/reason";
constexpr absl::string_view kFieldUrl = "sam3/field";
constexpr absl::string_view kRetryDelayUrl = "sam3/retry_delay";

absl::Status WithPayload(absl::Status status, absl::string_view url,
                         absl::string_view value) {
  status.SetPayload(url, absl::Cord(value));
  return status;
}

std::string PayloadOf(const absl::Status& status, absl::string_view url) {
  const auto payload = status.GetPayload(url);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  return WithPayload(std::move(status), kReasonUrl, reason);
}

std::string ReasonOf(const absl::Status& status) {
  return PayloadOf(status, kReasonUrl);
}

absl::Status WithField(absl::Status status, absl::string_view field) {
  return WithPayload(std::move(status), kFieldUrl, field);
}

std::string FieldOf(const absl::Status& status) {
  return PayloadOf(status, kFieldUrl);
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  return WithPayload(std::move(status), kRetryDelayUrl,
                     absl::FormatDuration(delay));
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  absl::Duration delay;
  const std::string text = PayloadOf(status, kRetryDelayUrl);
  if (text.empty() || !absl::ParseDuration(text, &delay)) return std::nullopt;
  return delay;
}

}  // namespace sam3
