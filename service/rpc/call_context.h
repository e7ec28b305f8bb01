#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "pipeline/request_context.h"

namespace sam3 {

// The request context of an RPC: its deadline, who asks. Pure; any thread.
std::shared_ptr<RequestContext> MakeRequestContext(
    const grpc::ServerContext& call, const std::string& request_id);

}  // namespace sam3
