#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pipeline/media/live_access.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/url_gate.h"

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
// most. Errors: the gate's refusals, classes of source_failure.h, the context's
// status.
absl::StatusOr<std::unique_ptr<LiveInput>> OpenRtsp(const CheckedUrl& url,
                                                    const LiveAccess& access,
                                                    absl::Time deadline);

}  // namespace sam3
