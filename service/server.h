#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/logging.h"
#include "pipeline/segmenter.h"
#include "service/concept_aliases.h"
#include "service/keys/authenticator.h"
#include "service/keys/secret.h"
#include "service/limits.h"
#include "service/rpc/rpc_metrics.h"
#include "service/segmentation_calls.h"
#include "service/tls.h"

namespace sam3 {

// The gRPC server: SegmentationService on one port, calls on its own pollers.
//
// Threads: Start, Drain and the destructor from one thread. Drain blocks.
class Server {
 public:
  struct Options {
    // host:port; port 0 takes a free one.
    std::string address = "127.0.0.1:50051";
    int poller_threads = 2;
    // Calls at a time on one connection; more wait in the client.
    int max_concurrent_streams = 128;
    // Then a connection is asked to go; its calls are cut after as much time
    // again, but not before `least_connection_grace`. Streams are told twice
    // `connection_notice` before that, and end `connection_notice` before it.
    absl::Duration max_connection_age = absl::InfiniteDuration();
    absl::Duration least_connection_grace = absl::Minutes(10);
    absl::Duration connection_notice = absl::Seconds(30);
    // For messages under way; 0 is a quarter of what the process may use.
    size_t receive_memory_bytes = 0;
    bool reflection = false;
    ServiceLimits limits;
    // Folder for file sources; empty refuses them.
    std::string media_root;
    std::string version;
    // Words that stand for English ones; null for none. Must outlive the
    // server.
    const ConceptAliases* aliases = nullptr;
    // Where calls that somebody will ask about get a line; null for nowhere.
    // Must outlive the server.
    const Logger* log = nullptr;
    // Whom calls have to convince; null lets everybody in. Must outlive the
    // server.
    Authenticator* authenticator = nullptr;
    // Plaintext unless it is enabled.
    TlsSettings tls;
    // What resume tokens are signed with, at least 32 bytes. Empty: a random
    // secret, with which no other server takes them.
    Secret resume_secret;
  };

  // Starts serving `segmenter`, which the server takes over. `metrics` must
  // outlive the server. UNAVAILABLE when the address cannot be bound, INTERNAL
  // when the system has no random numbers.
  // The files of `options.tls` should have been checked.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const Options& options, std::unique_ptr<Segmenter> segmenter,
      RpcMetrics& metrics);

  virtual ~Server() = default;

  virtual int port() const = 0;
  virtual Segmenter& segmenter() = 0;
  // What the methods do, for another door to the same service; lives as long as
  // the server.
  virtual const SegmentationCalls& calls() const = 0;

  // Refuses new work, finishes what was accepted, see Segmenter::Drain. What is
  // left at `deadline` is ended with a reason and gets two seconds to tell it.
  virtual void Drain(absl::Time deadline) = 0;
};

}  // namespace sam3
