#pragma once

#include <functional>

#include "inference/base/clock.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/request_context.h"

namespace sam3 {

// What it takes to open a live source and to read from it. A value; what it
// refers to must outlive every input that was opened with it.
struct LiveAccess {
  const UrlGate& gate;
  const HostResolver& resolver;
  const LiveLimits& limits;
  const RequestContext& context;
  Clock& clock;
  // See LiveWait.
  std::function<void()> on_stall;
};

}  // namespace sam3
