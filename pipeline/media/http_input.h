#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "inference/base/clock.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/request_context.h"

namespace sam3 {

// The endless body of an http(s) answer, pulled: nothing is received ahead of
// what is read but a bounded buffer. Every request on the way goes through the
// gate (see GatedRequest), redirects are new URLs, and the user's name and
// password are sent where the host asks for them (basic or digest).
//
// Threads: as LiveInput.
class HttpInput : public LiveInput {
 public:
  // Blocks until the first byte of a 200 answer is there, `deadline` at most;
  // see LiveWait for `on_stall`. What is borrowed must outlive it. Errors: the
  // gate's refusals, classes of source_failure.h, the context's status.
  static absl::StatusOr<std::unique_ptr<HttpInput>> Open(
      const CheckedUrl& url, const UrlGate& gate, const HostResolver& resolver,
      const LiveLimits& limits, absl::Time deadline,
      const RequestContext& context, Clock& clock,
      const std::function<void()>& on_stall);

  // Of the answer, as it was sent.
  virtual std::string content_type() const = 0;
};

}  // namespace sam3
