#include "service/rpc/call_context.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

// What a key must be good for.
Scope ScopeOf(RpcMethod method) {
  switch (method) {
    case RpcMethod::kSegmentConcepts:
    case RpcMethod::kSegmentObjects:
    case RpcMethod::kExplain:
      return Scope::kSegment;
    case RpcMethod::kEmbedImage:
    case RpcMethod::kUploadImage:
      return Scope::kEmbed;
    case RpcMethod::kSegmentStream:
      return Scope::kStream;
    case RpcMethod::kGetServerInfo:
      return Scope::kInfo;
  }
  return Scope::kAll;
}

// "ipv4:10.0.0.7:51234" without its port.
std::string PeerHost(const std::string& peer) {
  return absl::StartsWith(peer, "ip") ? peer.substr(0, peer.rfind(':')) : peer;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const CallPermit>> AdmitCall(
    const grpc::ServerContext& call, RpcMethod method,
    Authenticator* authenticator) {
  if (authenticator == nullptr) return std::make_shared<const CallPermit>();
  PresentedKeys presented;
  presented.peer = PeerHost(call.peer());
  for (const auto& [name, value] : call.client_metadata()) {
    absl::string_view text(value.data(), value.size());
    if (name == "authorization") {
      constexpr absl::string_view kScheme = "bearer ";
      // Another scheme's credentials are no key, and are refused as such.
      if (absl::StartsWithIgnoreCase(text, kScheme)) {
        text.remove_prefix(kScheme.size());
      }
      presented.keys.push_back(text);
    } else if (name == "x-api-key") {
      presented.keys.push_back(text);
    }
  }
  return authenticator->Admit(presented, ScopeOf(method));
}

std::shared_ptr<RequestContext> MakeRequestContext(
    const grpc::ServerContext& call, const std::string& request_id,
    const std::string& tenant) {
  const auto deadline = call.deadline();
  const absl::Time time =
      deadline == std::chrono::system_clock::time_point::max()
          ? absl::InfiniteFuture()
          : absl::FromChrono(deadline);
  return std::make_shared<RequestContext>(request_id, tenant, time);
}

void AddRetryPushback(const absl::Status& status, grpc::ServerContext* call) {
  if (const auto delay = RetryAfterOf(status)) {
    call->AddTrailingMetadata("grpc-retry-pushback-ms",
                              absl::StrCat(absl::ToInt64Milliseconds(*delay)));
  }
}

}  // namespace sam3
