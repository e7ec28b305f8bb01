#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pipeline/request_context.h"
#include "service/keys/authenticator.h"
#include "service/rpc/rpc_metrics.h"

namespace sam3 {

// Lets the call in, or says why not; the errors of Authenticator::Admit().
// Keys are taken from the metadata of this call, never from the connection,
// which a proxy may share among clients. Without an authenticator everything is
// let in. Any thread.
absl::StatusOr<std::shared_ptr<const CallPermit>> AdmitCall(
    const grpc::ServerContext& call, RpcMethod method,
    Authenticator* authenticator);

// The request context of an RPC: its deadline, who asks. Pure; any thread.
std::shared_ptr<RequestContext> MakeRequestContext(
    const grpc::ServerContext& call, const std::string& request_id,
    const std::string& tenant);

// Tells gRPC's own retries when to try again, where the status says so. Before
// the call is finished.
void AddRetryPushback(const absl::Status& status, grpc::ServerContext* call);

}  // namespace sam3
