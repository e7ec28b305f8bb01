#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/request_context.h"

namespace sam3 {

// Judges how long a live source may still be waited for. Whoever waits does so
// in short slices and asks Check() between them, which is how a
// cancelled stream ends at once whatever its source does.
//
// Not thread-safe; never blocks.
class LiveWait {
 public:
  static constexpr int kSliceMilliseconds = 20;

  // `on_stall` is called by Check(), once for each time that the source falls
  // silent. What is borrowed must outlive it.
  LiveWait(const LiveLimits& limits, const RequestContext& context,
           Clock& clock, std::function<void()> on_stall);

  void SetDeadline(absl::Time deadline) { deadline_ = deadline; }
  absl::Time deadline() const { return deadline_; }

  // Pictures come so far apart: twice that is no silence yet, however short the
  // limits are.
  void SetPictureInterval(absl::Duration interval) {
    picture_interval_ = interval;
  }

  // A wait begins, or something came: silence is counted from here.
  void Restart();

  // OK while waiting may go on; TIMEOUT of source_failure.h, or the context's
  // status.
  absl::Status Check();

 private:
  const LiveLimits& limits_;
  const RequestContext& context_;
  Clock& clock_;
  const std::function<void()> on_stall_;
  absl::Time deadline_ = absl::InfiniteFuture();
  absl::Duration picture_interval_ = absl::ZeroDuration();
  absl::Time silent_since_;
  bool stalled_ = false;
};

// Blocks until `time`, or until nobody wants the answer, which is what comes
// back then.
absl::Status SleepUntil(absl::Time time, const RequestContext& context,
                        Clock& clock);

}  // namespace sam3
