#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sam3 {

// The domain of every ErrorInfo.
inline constexpr absl::string_view kErrorDomain = "sam3";

// One thing that is wrong with a request.
struct FieldViolation {
  std::string field;
  std::string description;
};

// INVALID_ARGUMENT that carries every violation; the message names them too.
absl::Status InvalidRequest(const std::vector<FieldViolation>& violations);

// The same error with other paths for its fields, given as (from, to): for a
// request that was made out of another one.
absl::Status WithRenamedFields(
    const absl::Status& status,
    const std::vector<std::pair<std::string, std::string>>& names);

// The reason that the client is told: the status's own, or the usual one of its
// code.
std::string ToldReasonOf(const absl::Status& status);

// google.rpc.Status with the ErrorInfo, BadRequest and RetryInfo that the
// status's payloads stand for. A status without a reason gets the usual one of
// its code. Pure; any thread.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// The same on the wire: code, message and binary details.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace sam3
