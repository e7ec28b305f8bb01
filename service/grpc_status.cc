#include "service/grpc_status.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr absl::string_view kViolationsPayload = "sam3/violations";

// Trailers are limited to 8 KiB by default on both sides.
constexpr size_t kMaxMessageBytes = 2048;
constexpr size_t kMaxViolations = 32;

absl::string_view UsualReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return reason::kInvalidRequest;
    case absl::StatusCode::kDeadlineExceeded:
      return reason::kDeadline;
    case absl::StatusCode::kCancelled:
      return reason::kCancelled;
    case absl::StatusCode::kResourceExhausted:
      return reason::kOverloaded;
    case absl::StatusCode::kUnavailable:
      return reason::kNotReady;
    case absl::StatusCode::kUnimplemented:
      return reason::kNotOffered;
    case absl::StatusCode::kFailedPrecondition:
      return reason::kInvalidRequest;
    default:
      return reason::kEngineFailure;
  }
}

google::rpc::BadRequest BadRequestOf(const absl::Status& status) {
  google::rpc::BadRequest bad;
  if (const auto payload = status.GetPayload(kViolationsPayload)) {
    bad.ParseFromString(std::string(*payload));
  } else if (const std::string field = FieldOf(status); !field.empty()) {
    auto* violation = bad.add_field_violations();
    violation->set_field(field);
    violation->set_description(std::string(status.message()));
  }
  return bad;
}

}  // namespace

absl::Status InvalidRequest(const std::vector<FieldViolation>& violations) {
  google::rpc::BadRequest bad;
  for (const FieldViolation& violation : violations) {
    if (static_cast<size_t>(bad.field_violations_size()) >= kMaxViolations) {
      break;
    }
    auto* added = bad.add_field_violations();
    added->set_field(violation.field);
    added->set_description(violation.description);
  }
  absl::Status status = absl::InvalidArgumentError(absl::StrJoin(
      violations, "; ", [](std::string* out, const FieldViolation& violation) {
        absl::StrAppend(out, violation.field, ": ", violation.description);
      }));
  status.SetPayload(kViolationsPayload, absl::Cord(bad.SerializeAsString()));
  return WithReason(std::move(status), reason::kInvalidRequest);
}

absl::Status WithRenamedFields(
    const absl::Status& status,
    const std::vector<std::pair<std::string, std::string>>& names) {
  const auto renamed = [&names](const std::string& field) {
    for (const auto& [from, to] : names) {
      if (field == from) return to;
    }
    return field;
  };
  if (!status.GetPayload(kViolationsPayload).has_value()) {
    const std::string field = FieldOf(status);
    return field.empty() ? status : WithField(status, renamed(field));
  }
  std::vector<FieldViolation> violations;
  const google::rpc::BadRequest bad = BadRequestOf(status);
  for (const auto& violation : bad.field_violations()) {
    violations.push_back({renamed(violation.field()), violation.description()});
  }
  return InvalidRequest(violations);
}

std::string ToldReasonOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason.empty() ? std::string(UsualReason(status.code())) : reason;
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(std::string(status.message().substr(0, kMaxMessageBytes)));
  if (status.ok()) return out;
  google::rpc::ErrorInfo info;
  info.set_reason(ToldReasonOf(status));
  info.set_domain(std::string(kErrorDomain));
  if (const std::string field = FieldOf(status); !field.empty()) {
    (*info.mutable_metadata())["field"] = field;
  }
  out.add_details()->PackFrom(info);
  const google::rpc::BadRequest bad = BadRequestOf(status);
  if (bad.field_violations_size() > 0) out.add_details()->PackFrom(bad);
  if (const auto delay = RetryAfterOf(status)) {
    google::rpc::RetryInfo retry;
    const int64_t milliseconds = absl::ToInt64Milliseconds(*delay);
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
    out.add_details()->PackFrom(retry);
  }
  return out;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status details = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      details.message(), details.SerializeAsString());
}

}  // namespace sam3
