#include "pipeline/media/live_wait.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

// Part of the time until a stall is told. What is left is for a wait's slice
// and for the way to the client, who is to know by then.
constexpr double kStallPart = 0.95;

}  // namespace

LiveWait::LiveWait(const LiveLimits& limits, const RequestContext& context,
                   Clock& clock, std::function<void()> on_stall)
    : limits_(limits),
      context_(context),
      clock_(clock),
      on_stall_(std::move(on_stall)),
      silent_since_(clock.Now()) {}

void LiveWait::Restart() {
  silent_since_ = clock_.Now();
  stalled_ = false;
}

absl::Status LiveWait::Check() {
  const absl::Time now = clock_.Now();
  SAM3_RETURN_IF_ERROR(context_.StillWanted(now));
  if (now >= deadline_) {
    return SourceFailed(SourceFailure::kTimeout,
                        "no picture came within the time limit");
  }
  const absl::Duration silence = now - silent_since_;
  const absl::Duration usual = 2 * picture_interval_;
  const absl::Duration give_up_after = std::max(limits_.give_up_after, usual);
  if (silence >= give_up_after) {
    return SourceFailed(
        SourceFailure::kTimeout,
        absl::StrCat("nothing came for ", absl::FormatDuration(give_up_after)));
  }
  if (silence >= kStallPart * std::max(limits_.stall_after, usual) &&
      !stalled_) {
    stalled_ = true;
    on_stall_();
  }
  return absl::OkStatus();
}

absl::Status SleepUntil(absl::Time time, const RequestContext& context,
                        Clock& clock) {
  absl::Mutex mutex;
  const absl::MutexLock lock(&mutex);
  const auto never = [] { return false; };
  const absl::Duration slice = absl::Milliseconds(LiveWait::kSliceMilliseconds);
  for (absl::Time now = clock.Now(); now < time; now = clock.Now()) {
    SAM3_RETURN_IF_ERROR(context.StillWanted(now));
    clock.AwaitWithDeadline(&mutex, absl::Condition(&never),
                            std::min(time, now + slice));
  }
  return absl::OkStatus();
}

}  // namespace sam3
