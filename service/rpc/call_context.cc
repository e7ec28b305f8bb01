#include "service/rpc/call_context.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pipeline/error_reason.h"

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

void AddRetryPushback(const absl::Status& status, grpc::ServerContext* call) {
  if (const auto delay = RetryAfterOf(status)) {
    call->AddTrailingMetadata("grpc-retry-pushback-ms",
                              absl::StrCat(absl::ToInt64Milliseconds(*delay)));
  }
}

}  // namespace sam3
