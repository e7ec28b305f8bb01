#include "service/rpc/rpc_metrics.h"

#include <algorithm>
#include <string>

#include "service/grpc_status.h"

namespace sam3 {

void RpcMetrics::Record(RpcMethod method, const absl::Status& status) {
  finished_[static_cast<size_t>(method)][static_cast<size_t>(status.code())]
      .Add();
  if (status.ok()) return;
  const std::string why = ToldReasonOf(status);
  const auto* known =
      std::find(std::begin(reason::kAll), std::end(reason::kAll), why);
  if (known != std::end(reason::kAll)) failed_[known - reason::kAll].Add();
}

}  // namespace sam3
