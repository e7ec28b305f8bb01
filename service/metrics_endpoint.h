#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "inference/engine.h"
#include "pipeline/metrics.h"
#include "service/http/http_metrics.h"
#include "service/keys/key_metrics.h"
#include "service/rpc/rpc_metrics.h"

namespace sam3 {

// Serves the process's numbers to Prometheus on GET /metrics, in base units,
// names beginning with sam3_. Has its own threads; the values are read when
// somebody asks.
class MetricsEndpoint {
 public:
  struct Sources {
    const PipelineMetrics& pipeline;
    const RpcMetrics& rpc;
    const HttpMetrics& http;
    std::string version;
    // The server was told to go without keys beyond loopback.
    bool insecure_no_auth = false;
    // The same of plaintext.
    bool plaintext = false;
    // Null where nobody asks for keys.
    const KeyMetrics* keys = nullptr;
    // URLs may be http, and may lead into networks that are not public.
    bool url_http = false;
    bool url_networks = false;
    // Videos are decoded in this process.
    bool decode_in_process = false;
  };

  // What `sources` refers to must outlive the endpoint. UNAVAILABLE when the
  // address cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, Sources sources);
  virtual ~MetricsEndpoint() = default;

  // Tells which model is served, once it is.
  virtual void SetModel(const EngineInfo& model) = 0;
  // The port that was bound; of use when the address asked for port 0.
  virtual int port() const = 0;
};

}  // namespace sam3
