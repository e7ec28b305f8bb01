#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// Notices that clients hang up while their answers are being made, which an
// HTTP server that is not reading or writing does not. One thread sleeps on all
// watched sockets.
//
// Threads: any. Nothing blocks but Remove(), which waits for its own callback
// if that is just being called.
class HangupWatch {
 public:
  HangupWatch();
  ~HangupWatch();
  HangupWatch(const HangupWatch&) = delete;
  HangupWatch& operator=(const HangupWatch&) = delete;

  // Calls `on_hangup` once, from the watch's thread, when the peer of the
  // connected socket `fd` closes or resets. It must not block nor call back.
  void Add(int fd, std::function<void()> on_hangup);
  // Afterwards it is not called any more. Before the socket is closed.
  void Remove(int fd);

 private:
  void Run();

  const int epoll_;
  const int stop_;
  absl::Mutex mutex_;
  absl::flat_hash_map<int, std::function<void()>> watched_
      ABSL_GUARDED_BY(mutex_);
  int calling_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread thread_;
};

}  // namespace sam3
