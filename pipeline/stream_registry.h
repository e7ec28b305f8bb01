#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pipeline/admission.h"
#include "pipeline/local_stream.h"
#include "pipeline/pipeline_core.h"

namespace sam3 {

// The live streams. A thread of its own ticks them (heartbeats, clients that do
// not read) and destroys those that nobody needs any more, so that neither a
// poller nor the device thread ever waits for a source to stop.
//
// Threads: any; only the destructor blocks.
class StreamRegistry {
 public:
  // `core` must outlive the registry.
  explicit StreamRegistry(PipelineCore& core);
  ~StreamRegistry();
  StreamRegistry(const StreamRegistry&) = delete;
  StreamRegistry& operator=(const StreamRegistry&) = delete;

  absl::StatusOr<std::shared_ptr<StreamSession>> Open(
      StreamConfig config, std::shared_ptr<RequestContext> context,
      StreamListener* listener, std::unique_ptr<Admission::Ticket> ticket);

  // These hold for every stream, also for one that is being opened.
  // The client is told that it is served until `until` at most.
  void GoAway(absl::Time until);
  // The stream answers what it has and then ends with `status`.
  void Drain(const absl::Status& status);
  // The stream ends now.
  void CancelAll(const absl::Status& status);

 private:
  using Order = std::function<void(LocalStream&)>;
  void GiveAll(const Order& order);
  void TickUntilStopped();

  PipelineCore& core_;
  mutable absl::Mutex mutex_;
  std::vector<std::shared_ptr<LocalStream>> streams_ ABSL_GUARDED_BY(mutex_);
  // What all streams were told, for those that come later.
  std::vector<Order> orders_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread ticker_;
};

}  // namespace sam3
