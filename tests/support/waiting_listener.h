#pragma once

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pipeline/stream_session.h"

namespace sam3 {

// A stream's listener for tests: remembers that the session signalled, so that
// a test can sleep until what it waits for holds. Signals come from any
// thread; Await() is for the test's own.
class WaitingListener final : public StreamListener {
 public:
  void OnOutputReady() override { Note(); }
  void OnInputWanted() override { Note(); }

  // Blocks until `condition` holds; looked at after every signal, and now and
  // then without one, because not all that tests wait for is signalled.
  void Await(const std::function<bool()>& condition) {
    while (!condition()) {
      const absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&noted_), absl::Milliseconds(5));
      noted_ = false;
    }
  }

 private:
  void Note() {
    const absl::MutexLock lock(&mutex_);
    noted_ = true;
  }

  absl::Mutex mutex_;
  bool noted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sam3
