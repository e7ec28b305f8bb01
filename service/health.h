#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sam3 {

// grpc.health.v1 on a port of its own, so that probes are answered while the
// data port is full, not yet open or draining. Three services besides "", for
// the three probes of an orchestrator: "liveness" is SERVING as long as the
// process is; "startup" from the first time that work is taken; "readiness", as
// "", while work is taken. Threads: any.
class HealthEndpoint {
 public:
  // UNAVAILABLE when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HealthEndpoint>> Start(
      const std::string& address);
  virtual ~HealthEndpoint() = default;
  virtual void SetServing(bool serving) = 0;
  virtual int port() const = 0;
};

}  // namespace sam3
