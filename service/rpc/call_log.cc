#include "service/rpc/call_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "service/grpc_status.h"

namespace sam3 {
namespace {

// What no client can cause and no client can mend.
bool IsOwnFault(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      const std::string why = ToldReasonOf(status);
      return why == reason::kDeviceLost || why == reason::kDeviceMemory;
  }
}

}  // namespace

void CallLog::UnaryEnded(RpcMethod method, const grpc::ServerContext& call,
                         const absl::Status& status) {
  metrics_.Record(method, status);
  if (status.ok()) return;
  LogOwnFault(kRpcMethodNames[static_cast<size_t>(method)], call.peer(),
              status);
}

void CallLog::HttpEnded(absl::string_view method, const std::string& peer,
                        const absl::Status& status) {
  if (!status.ok()) LogOwnFault(method, peer, status);
}

void CallLog::LogOwnFault(absl::string_view method, const std::string& peer,
                          const absl::Status& status) {
  int64_t left_out = 0;
  if (!IsOwnFault(status) || !TakeTurn(&left_out)) return;
  logger_->Log(LogLevel::kError, "call_failed",
               {{"method", std::string(method)},
                {"code", absl::StatusCodeToString(status.code())},
                {"reason", ToldReasonOf(status)},
                {"message", std::string(status.message())},
                {"peer", peer},
                {"lines_left_out", absl::StrCat(left_out)}});
}

void CallLog::StreamEnded(const StreamRecord& stream,
                          const absl::Status& status) {
  metrics_.Record(RpcMethod::kSegmentStream, status);
  int64_t left_out = 0;
  if (!stream.admitted || !TakeTurn(&left_out)) return;
  const absl::Duration lasted =
      absl::Trunc(clock_.Now() - stream.opened_at, absl::Milliseconds(1));
  logger_->Log(
      !status.ok() && IsOwnFault(status) ? LogLevel::kError : LogLevel::kInfo,
      "stream_ended",
      {{"stream", stream.stream_id},
       {"code", absl::StatusCodeToString(status.code())},
       {"reason", status.ok() ? "" : ToldReasonOf(status)},
       {"message", std::string(status.message())},
       {"results", absl::StrCat(stream.results)},
       {"lasted", absl::FormatDuration(lasted)},
       {"peer", stream.peer},
       {"lines_left_out", absl::StrCat(left_out)}});
}

bool CallLog::TakeTurn(int64_t* left_out) {
  if (logger_ == nullptr) return false;
  const absl::Time now = clock_.Now();
  const absl::MutexLock lock(&mutex_);
  // A clock that was set back must not take turns away.
  const double passed =
      std::max(0.0, absl::ToDoubleSeconds(now - refilled_at_));
  tokens_ = std::min(kBurst, tokens_ + passed * kPerSecond);
  refilled_at_ = now;
  if (tokens_ < 1) {
    ++left_out_;
    return false;
  }
  tokens_ -= 1;
  *left_out = left_out_;
  left_out_ = 0;
  return true;
}

}  // namespace sam3
