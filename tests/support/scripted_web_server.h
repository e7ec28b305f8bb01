#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/loopback_listener.h"

namespace sam3 {

// An HTTP server on a free port of 127.0.0.1 that does what the test says, also
// what no good server would. One thread a connection, one request each. Its
// end shuts the peers down and waits for the scripts.
class ScriptedWebServer {
 public:
  // The client's side of one connection.
  class Peer {
   public:
    Peer(int socket, std::string head)
        : socket_(socket), head_(std::move(head)) {}
    // Of its request.
    const std::string& head() const { return head_; }
    // False once the client has gone.
    bool Send(absl::string_view bytes) const;
    // Blocks until the client has gone.
    void AwaitGone() const;
    // The same, but no longer than `time`; whether it has.
    bool GoneWithin(absl::Duration time) const;

   private:
    const int socket_;
    const std::string head_;
  };
  using Script = std::function<void(const Peer&)>;

  ScriptedWebServer();

  int port() const { return listener_.port(); }
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
  void Answer(int socket);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Script> scripts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  // Last: its threads use the others.
  LoopbackListener listener_;
};

}  // namespace sam3
