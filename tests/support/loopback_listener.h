#pragma once

#include <functional>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// A listener on a free port of 127.0.0.1, and a thread for each connection.
class LoopbackListener {
 public:
  // `serve` gets each connection's socket, in the connection's thread; the
  // socket is closed and the thread ends when it returns.
  explicit LoopbackListener(std::function<void(int socket)> serve);
  // Shuts all sockets down and waits for `serve`.
  ~LoopbackListener();
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  int port() const { return port_; }

 private:
  struct Connection {
    int socket = -1;
    std::thread thread;
  };
  using Connections = std::list<Connection>;

  void Accept();
  void Serve(Connections::iterator connection);

  const std::function<void(int socket)> serve_;
  int listener_ = -1;
  int port_ = 0;
  absl::Mutex mutex_;
  Connections open_ ABSL_GUARDED_BY(mutex_);
  // Whose threads have only to be joined.
  Connections closed_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace sam3
