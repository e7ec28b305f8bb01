#include "service/rpc/call_context.h"

#include <chrono>

#include "absl/time/time.h"

namespace sam3 {

std::shared_ptr<RequestContext> MakeRequestContext(
    const grpc::ServerContext& call, const std::string& request_id) {
  const auto deadline = call.deadline();
  const absl::Time time =
      deadline == std::chrono::system_clock::time_point::max()
          ? absl::InfiniteFuture()
          : absl::FromChrono(deadline);
  return std::make_shared<RequestContext>(request_id, /*tenant=*/"", time);
}

}  // namespace sam3
