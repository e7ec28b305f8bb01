#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sam3 {

// An HTTP server on a free port of 127.0.0.1 that does what the test says, also
// what no good server would. One thread a connection, one request each.
class ScriptedWebServer {
 public:
  // The client's side of one connection.
  class Peer {
   public:
    explicit Peer(int socket) : socket_(socket) {}
    // False once the client has gone.
    bool Send(absl::string_view bytes) const;
    // Blocks until the client has gone.
    void AwaitGone() const;
    // The same, but no longer than `time`; whether it has.
    bool GoneWithin(absl::Duration time) const;

   private:
    const int socket_;
  };
  using Script = std::function<void(const Peer&)>;

  ScriptedWebServer();
  // Waits for the scripts, whose peers are shut down.
  ~ScriptedWebServer();
  ScriptedWebServer(const ScriptedWebServer&) = delete;
  ScriptedWebServer& operator=(const ScriptedWebServer&) = delete;

  int port() const { return port_; }
  // "http://127.0.0.1:PORT" and `path`.
  std::string UrlOf(absl::string_view path) const;

  void On(const std::string& path, Script script);
  // A whole answer with status 200.
  void Serve(const std::string& path, const std::string& body);
  // Status 302 to `location`.
  void Redirect(const std::string& path, const std::string& location);

  // Heads of all requests so far, in order.
  std::vector<std::string> requests() const;

 private:
  void Accept();
  void Answer(int socket);

  int listener_ = -1;
  int port_ = 0;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Script> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> sockets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> peers_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace sam3
