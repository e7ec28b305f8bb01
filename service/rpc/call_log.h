#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "inference/base/logging.h"
#include "service/rpc/rpc_metrics.h"

namespace sam3 {

// Writes down how calls end. Every one is counted; streams, and calls that
// failed by this server's own fault, also get a line in the log. Clients can
// cause lines at will, so there are at most kBurst at once and kPerSecond from
// then on; the next line says how many were left out.
//
// Threads: any; blocks for no longer than a line takes to write.
class CallLog {
 public:
  static constexpr double kPerSecond = 5;
  static constexpr double kBurst = 50;

  // How a stream went, for whoever reads the log.
  struct StreamRecord {
    std::string stream_id;  // empty when it never started
    std::string peer;
    // Refused ones are told of elsewhere.
    bool admitted = true;
    absl::Time opened_at;
    int64_t results = 0;  // sent
  };

  // All must outlive the log; without a logger, calls are counted only.
  CallLog(RpcMetrics& metrics, const Logger* logger, Clock& clock)
      : metrics_(metrics),
        logger_(logger),
        clock_(clock),
        refilled_at_(clock.Now()) {}

  void UnaryEnded(RpcMethod method, const grpc::ServerContext& call,
                  const absl::Status& status);
  // A request on another door, which counts its own; `method` is its route.
  void HttpEnded(absl::string_view method, const std::string& peer,
                 const absl::Status& status);
  void StreamEnded(const StreamRecord& stream, const absl::Status& status);

  absl::Time Now() const { return clock_.Now(); }

 private:
  void LogOwnFault(absl::string_view method, const std::string& peer,
                   const absl::Status& status);
  // Whether a line may be written now; says how many could not be before it.
  bool TakeTurn(int64_t* left_out);

  RpcMetrics& metrics_;
  const Logger* const logger_;
  Clock& clock_;
  absl::Mutex mutex_;
  double tokens_ ABSL_GUARDED_BY(mutex_) = kBurst;
  absl::Time refilled_at_ ABSL_GUARDED_BY(mutex_);
  int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sam3
