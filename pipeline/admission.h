#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/metrics.h"

namespace sam3 {

// Counts what is between arrival and answer, refuses what is too much, and
// knows when nothing is left. One key may have a quarter of the requests and
// half of the bytes, which leaves room for others; calls without a key are
// nobody's and may have everything. Threads: any; only AwaitIdle() blocks.
class Admission {
 public:
  struct Limits {
    int max_requests = 512;
    size_t max_bytes = size_t{1} << 30;
    int max_streams = 128;
  };

  // Holds one place; gives it back when destroyed. Keeps the Admission's
  // counters, not the Admission itself, which must outlive it.
  class Ticket {
   public:
    Ticket(Admission* admission, std::string key, size_t bytes, bool stream)
        : admission_(admission),
          key_(std::move(key)),
          bytes_(bytes),
          stream_(stream) {}
    ~Ticket() { admission_->Release(key_, bytes_, stream_); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    // Gives back what was asked for and turned out not to be needed.
    void ShrinkTo(size_t bytes);

   private:
    Admission* const admission_;
    const std::string key_;
    size_t bytes_;
    const bool stream_;
  };

  // Borrowed objects must outlive the admission.
  Admission(const Limits& limits, Clock& clock, PipelineMetrics& metrics)
      : limits_(limits), clock_(clock), metrics_(metrics) {}

  // RESOURCE_EXHAUSTED (OVERLOADED) beyond a limit, the status of Refuse()
  // afterwards.
  // `key` is empty for a call without one; `carried` are the streams that the
  // device can serve as things are.
  absl::StatusOr<std::unique_ptr<Ticket>> AdmitRequest(const std::string& key,
                                                       size_t bytes);
  absl::StatusOr<std::unique_ptr<Ticket>> AdmitStream(int carried);

  // From now on everything is refused with `why`; the first reason stays.
  void Refuse(absl::Status why);
  // OK, or why everything is refused.
  absl::Status refusal() const;

  // Blocks until every ticket is back or `deadline`; whether they are.
  bool AwaitIdle(absl::Time deadline);

  // How many more AdmitStream() would take.
  int free_streams(int carried) const;

 private:
  struct Held {
    int requests = 0;
    size_t bytes = 0;
  };

  // Why a request is too much; empty when it is not.
  std::string WhyRefused(const std::string& key, size_t bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const std::string& key, size_t bytes, bool stream);
  void ReleaseBytes(const std::string& key, size_t bytes);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return requests_ == 0 && streams_ == 0;
  }
  absl::Status Overloaded(absl::string_view what) const;

  const Limits limits_;
  Clock& clock_;
  PipelineMetrics& metrics_;
  mutable absl::Mutex mutex_;
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of keys with requests in work.
  absl::flat_hash_map<std::string, Held> by_key_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
