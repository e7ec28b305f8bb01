#include "service/keys/key_usage.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

// When a place comes free nobody knows; these are guesses at calls and streams.
constexpr absl::Duration kCallRetryDelay = absl::Milliseconds(500);
constexpr absl::Duration kStreamRetryDelay = absl::Seconds(5);

absl::Status OverLimit(absl::string_view limit, double value,
                       absl::Duration delay) {
  // Rounded up, so that coming back on time is coming back late enough.
  delay = absl::Ceil(delay, absl::Milliseconds(1));
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(absl::StrCat(
                     "this key's limit is reached: ", limit, " is ", value,
                     "; try again in ", absl::FormatDuration(delay))),
                 reason::kKeyLimit),
      delay);
}

double BurstOf(const KeyLimits& limits) {
  return limits.burst.value_or(
      std::max(1, static_cast<int>(std::ceil(*limits.requests_per_second))));
}

}  // namespace

absl::Duration RateMeter::WaitFor(double amount, double rate, double capacity,
                                  absl::Time now) {
  // A clock that was set back must not fill the meter.
  if (now > emptied_at_) {
    level_ =
        std::max(0.0, level_ - rate * absl::ToDoubleSeconds(now - emptied_at_));
  }
  emptied_at_ = now;
  const double excess = level_ + amount - capacity;
  return excess <= 0 ? absl::ZeroDuration() : absl::Seconds(excess / rate);
}

absl::Status KeyUsage::Enter(const KeyLimits& limits, Place place) {
  const absl::Time now = clock_.Now();
  const absl::MutexLock lock(&mutex_);
  if (const absl::Duration wait = PixelWait(limits, now);
      wait > absl::ZeroDuration()) {
    return OverLimit("megapixels_per_second", *limits.megapixels_per_second,
                     wait);
  }
  const bool stream = place == Place::kStream;
  if (stream && limits.streams.has_value() && streams_ >= *limits.streams) {
    return OverLimit("streams", *limits.streams, kStreamRetryDelay);
  }
  if (!stream && limits.concurrent.has_value() &&
      calls_ >= *limits.concurrent) {
    return OverLimit("concurrent", *limits.concurrent, kCallRetryDelay);
  }
  if (limits.requests_per_second.has_value()) {
    const absl::Duration wait =
        requests_.WaitFor(1, *limits.requests_per_second, BurstOf(limits), now);
    if (wait > absl::ZeroDuration()) {
      return OverLimit("requests_per_second", *limits.requests_per_second,
                       wait);
    }
    requests_.Add(1);
  }
  ++(stream ? streams_ : calls_);
  return absl::OkStatus();
}

void KeyUsage::Leave(Place place) {
  const absl::MutexLock lock(&mutex_);
  --(place == Place::kStream ? streams_ : calls_);
}

void KeyUsage::AddPixels(int64_t pixels) {
  const absl::MutexLock lock(&mutex_);
  megapixels_.Add(static_cast<double>(pixels) * 1e-6);
}

absl::Duration KeyUsage::PixelDebt(const KeyLimits& limits) {
  const absl::Time now = clock_.Now();
  const absl::MutexLock lock(&mutex_);
  return PixelWait(limits, now);
}

absl::Duration KeyUsage::PixelWait(const KeyLimits& limits, absl::Time now) {
  if (!limits.megapixels_per_second.has_value()) return absl::ZeroDuration();
  // A second's worth may be used at once.
  const double rate = *limits.megapixels_per_second;
  return megapixels_.WaitFor(0, rate, rate, now);
}

}  // namespace sam3
