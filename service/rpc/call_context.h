#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "pipeline/request_context.h"

namespace sam3 {

// The request context of an RPC: its deadline, who asks. Pure; any thread.
std::shared_ptr<RequestContext> MakeRequestContext(
    const grpc::ServerContext& call, const std::string& request_id);

// Tells gRPC's own retries when to try again, where the status says so. Before
// the call is finished.
void AddRetryPushback(const absl::Status& status, grpc::ServerContext* call);

}  // namespace sam3
