#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pipeline/metrics.h"

namespace sam3 {

// Serves the pipeline's numbers to Prometheus on GET /metrics, in base units,
// names beginning with sam3_. Has its own threads; the values are read when
// somebody asks.
class MetricsEndpoint {
 public:
  // `metrics` must outlive the endpoint. UNAVAILABLE when the address cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, const PipelineMetrics& metrics,
      const std::string& version);
  virtual ~MetricsEndpoint() = default;
  // The port that was bound; of use when the address asked for port 0.
  virtual int port() const = 0;
};

}  // namespace sam3
