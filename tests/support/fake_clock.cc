#include "tests/support/fake_clock.h"

namespace sam3 {

absl::Time FakeClock::Now() const {
  const absl::MutexLock lock(&mutex_);
  return now_;
}

bool FakeClock::AwaitWithDeadline(
    absl::Mutex* mutex, const absl::Condition& condition,
    absl::Time deadline) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // Looks again every real millisecond; how often changes no outcome.
  while (!condition.Eval()) {
    if (Now() >= deadline) return false;
    mutex->AwaitWithTimeout(condition, absl::Milliseconds(1));
  }
  return true;
}

void FakeClock::Advance(absl::Duration by) {
  const absl::MutexLock lock(&mutex_);
  now_ += by;
}

}  // namespace sam3
