#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/http/message.h"
#include "service/tls.h"

namespace sam3 {

// One request that waits for its answer. Shared: it may outlive the connection,
// then what is answered goes nowhere.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual const HttpRequest& request() const = 0;
  // Takes the body over, which may be large.
  virtual std::string TakeBody() = 0;
  // Called once, from any thread. Does not block.
  virtual void Respond(HttpResponse response) = 0;
  // Calls `on_hangup` at most once, from a thread of the server's, when the
  // client leaves before it is answered. It must neither block nor respond. To
  // be called from within the handler.
  virtual void WhenAbandoned(std::function<void()> on_hangup) = 0;
};

// An HTTP/1.1 server that answers later and from any thread, as the pipeline
// does. It bounds what a stranger can make it hold: connections, header and
// body bytes, time without progress and time in all. It does not know what it
// serves.
//
// Threads: the handler is called on one of `threads` threads, several at a
// time, once a request is whole; it should not block, since a thread has many
// connections. Start, UseTls, Drain and the destructor from one thread.
class HttpServer {
 public:
  struct Options {
    // HOST:PORT; port 0 takes a free one.
    std::string address;
    int threads = 1;
    // Larger bodies are answered 413.
    size_t max_body_bytes = 0;
    // Of all requests that are not answered yet; what goes beyond is answered
    // 503. 0 is no limit.
    size_t max_bodies_bytes = 0;
    int max_connections = 512;
    // A connection on which nothing moves is closed.
    absl::Duration idle_timeout = absl::Seconds(30);
    // From the first header to the last byte of the body.
    absl::Duration request_timeout = absl::Seconds(60);
    // Encrypts every connection, with TLS 1.2 or later; absent for plain HTTP.
    // Where there is a client_ca, clients must prove themselves (403).
    std::optional<TlsPem> tls = {};
  };
  using Handler = std::function<void(std::shared_ptr<HttpExchange>)>;

  // UNAVAILABLE tells why the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const Options& options, Handler handler);

  // Cuts what is not answered yet; Drain() first to wait for it.
  virtual ~HttpServer() = default;

  // The port that was bound; of use when the address asked for port 0.
  virtual int port() const = 0;

  // Of a server with TLS: new connections are encrypted with this from now on,
  // those that exist go on. On an error nothing changes.
  virtual absl::Status UseTls(const TlsPem& tls) = 0;

  // Takes no more connections nor requests (503) and waits until what came is
  // answered, or until `deadline`. Blocks.
  virtual void Drain(absl::Time deadline) = 0;
};

}  // namespace sam3
