#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/http/http_api.h"
#include "service/tls.h"

namespace sam3 {

// The server's second door: HttpApi behind an HTTP server of its own. Serves
// from Open() until Drain().
//
// Threads: Open, FollowTlsFiles, Drain and the destructor from one thread,
// SetReady from any.
class HttpDoor {
 public:
  struct Options {
    // HOST:PORT; port 0 takes a free one; empty opens no door.
    std::string address = "127.0.0.1:8080";
    HttpApi::Options api;
    // Not enabled: plain HTTP.
    TlsSettings tls;
    int threads = 4;
  };

  // What is given must outlive the door and all calls that came through it.
  // UNAVAILABLE when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpDoor>> Open(
      const Options& options, const SegmentationCalls& calls, Clock& clock,
      HttpMetrics& metrics);
  virtual ~HttpDoor() = default;

  virtual int port() const = 0;

  // To be called now and then: uses certificates that have changed since. An
  // error, told once, leaves the old ones in force. Reads files.
  virtual absl::Status FollowTlsFiles() = 0;

  // Whether /readyz may say so.
  virtual void SetReady(bool ready) = 0;

  // Takes no more requests and waits until those that came are answered, or
  // until `deadline`. Blocks; the work itself is the segmenter's to end.
  virtual void Drain(absl::Time deadline) = 0;
};

}  // namespace sam3
