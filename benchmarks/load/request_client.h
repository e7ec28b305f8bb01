#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"

namespace sam3 {

// What became of the requests of one run.
struct Tally {
  std::vector<double> latencies_ms;  // of those that were answered in time
  int64_t sent = 0;
  int64_t refused = 0;  // RESOURCE_EXHAUSTED
  int64_t late = 0;     // DEADLINE_EXCEEDED
  int64_t failed = 0;   // anything else

  // The smallest latency that so many of all do not exceed; 0 of none.
  double Percentile(double quantile);
};

// Sends requests without waiting and collects the replies on a thread of its
// own. Threads: any; only Take() blocks.
class RequestClient {
 public:
  // Sends `requests` one after another, over and over, each with `timeout` from
  // when it was due, and with `key` unless that is empty.
  RequestClient(int port, std::vector<v1::SegmentConceptsRequest> requests,
                absl::Duration timeout, std::string key = "");
  // Cancels nothing: Take() first.
  ~RequestClient();

  // Sends a request that was due at `due`.
  void Send(absl::Time due) ABSL_LOCKS_EXCLUDED(mutex_);

  // Until then, every reply is followed by another request
  // at once.
  void RefillUntil(absl::Time end) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for what is under way; the tally since the last time.
  Tally Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Call;

  void CollectReplies();
  // True when another request is to follow.
  bool Count(const Call& call, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::CompletionQueue queue_;
  const std::unique_ptr<v1::SegmentationService::Stub> stub_;
  const std::vector<v1::SegmentConceptsRequest> requests_;
  const absl::Duration timeout_;
  const std::string key_;
  absl::Mutex mutex_;
  Tally tally_ ABSL_GUARDED_BY(mutex_);
  int64_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time refill_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::thread collector_;
};

}  // namespace sam3
