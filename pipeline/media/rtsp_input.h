#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/request_context.h"

namespace sam3 {

// The video of an RTSP server, over TCP: media is interleaved with the
// conversation on the one socket that the gate let through, so that nothing
// which the server says (addresses, ports, base URLs) leads elsewhere.
// Redirects are new URLs, which the gate checks.
//
// Read() gives a session description, then the end, then one RTP packet a call:
// VideoDecoder's kRtp feed. A packet that does not fit is left out. The session
// is kept alive by reading.
//
// Threads: as LiveInput. Open() blocks until media was asked for, `deadline` at
// most; see LiveWait for `on_stall`. What is borrowed must outlive the input.
// Errors: the gate's refusals, classes of source_failure.h, the context's
// status.
absl::StatusOr<std::unique_ptr<LiveInput>> OpenRtsp(
    const CheckedUrl& url, const UrlGate& gate, const HostResolver& resolver,
    const LiveLimits& limits, absl::Time deadline,
    const RequestContext& context, Clock& clock,
    const std::function<void()>& on_stall);

}  // namespace sam3
