#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// A listener on a free port of 127.0.0.1, and a thread for each connection.
class LoopbackListener {
 public:
  // `serve` gets each connection's socket, in the connection's thread; the
  // socket is shut down when it returns.
  explicit LoopbackListener(std::function<void(int socket)> serve);
  // Shuts all sockets down and waits for `serve`.
  ~LoopbackListener();
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  int port() const { return port_; }

 private:
  void Accept();

  const std::function<void(int socket)> serve_;
  int listener_ = -1;
  int port_ = 0;
  absl::Mutex mutex_;
  std::vector<int> sockets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace sam3
