#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/stream_session.h"

namespace sam3 {

// Calls a listener that may leave at any moment. The lock is held during a
// call, which is what lets Close() promise that none is under way or to come; a
// listener returns at once and never calls back, so nobody waits for long.
// Threads: any.
class ListenerGate {
 public:
  explicit ListenerGate(StreamListener* listener) : listener_(listener) {}

  void OutputReady() {
    const absl::MutexLock lock(&mutex_);
    if (listener_ != nullptr) listener_->OnOutputReady();
  }
  void InputWanted() {
    const absl::MutexLock lock(&mutex_);
    if (listener_ != nullptr) listener_->OnInputWanted();
  }
  void Close() {
    const absl::MutexLock lock(&mutex_);
    listener_ = nullptr;
  }

 private:
  absl::Mutex mutex_;
  StreamListener* listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
