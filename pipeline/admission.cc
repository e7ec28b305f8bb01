#include "pipeline/admission.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

// Requests last milliseconds to seconds; a fixed delay is honest enough where
// no queue tells more.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(500);

// One key may have one of so many parts.
constexpr int kPartsOfRequests = 4;
constexpr size_t kPartsOfBytes = 2;

}  // namespace

void Admission::Ticket::ShrinkTo(size_t bytes) {
  if (bytes >= bytes_) return;
  admission_->ReleaseBytes(key_, bytes_ - bytes);
  bytes_ = bytes;
}

std::string Admission::WhyRefused(const std::string& key, size_t bytes) const {
  if (requests_ >= limits_.max_requests) {
    return absl::StrCat(requests_, " requests are in work");
  }
  if (requests_ > 0 && bytes_ + bytes > limits_.max_bytes) {
    return absl::StrCat("requests in work hold ", bytes_, " bytes");
  }
  const auto held = by_key_.find(key);
  if (held == by_key_.end()) return "";
  if (held->second.requests >= limits_.max_requests / kPartsOfRequests) {
    return absl::StrCat(held->second.requests,
                        " requests of this key are in work");
  }
  if (held->second.bytes + bytes > limits_.max_bytes / kPartsOfBytes) {
    return absl::StrCat("requests of this key hold ", held->second.bytes,
                        " bytes");
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Admission::Ticket>> Admission::AdmitRequest(
    const std::string& key, size_t bytes) {
  const absl::MutexLock lock(&mutex_);
  if (!refusal_.ok()) return refusal_;
  const std::string why = WhyRefused(key, bytes);
  if (!why.empty()) {
    metrics_.requests_refused.Add();
    return Overloaded(why);
  }
  ++requests_;
  bytes_ += bytes;
  if (!key.empty()) {
    Held& held = by_key_[key];
    ++held.requests;
    held.bytes += bytes;
  }
  metrics_.requests_accepted.Add();
  metrics_.requests_active.Set(requests_);
  return std::make_unique<Ticket>(this, key, bytes, /*stream=*/false);
}

absl::StatusOr<std::unique_ptr<Admission::Ticket>> Admission::AdmitStream(
    int carried) {
  const absl::MutexLock lock(&mutex_);
  if (!refusal_.ok()) return refusal_;
  if (streams_ >= limits_.max_streams) {
    metrics_.requests_refused.Add();
    return Overloaded(
        absl::StrCat("all ", limits_.max_streams, " streams are taken"));
  }
  if (streams_ >= carried) {
    metrics_.requests_refused.Add();
    return Overloaded(absl::StrCat(streams_,
                                   " streams are open, and the device is too "
                                   "slow for more, unless the operator lowers "
                                   "limits.min_stream_fps"));
  }
  ++streams_;
  metrics_.streams_opened.Add();
  metrics_.streams_active.Set(streams_);
  return std::make_unique<Ticket>(this, "", 0, /*stream=*/true);
}

void Admission::Refuse(absl::Status why) {
  const absl::MutexLock lock(&mutex_);
  if (refusal_.ok()) refusal_ = std::move(why);
}

absl::Status Admission::refusal() const {
  const absl::MutexLock lock(&mutex_);
  return refusal_;
}

bool Admission::AwaitIdle(absl::Time deadline) {
  const absl::MutexLock lock(&mutex_);
  return clock_.AwaitWithDeadline(
      &mutex_, absl::Condition(this, &Admission::Idle), deadline);
}

int Admission::free_streams(int carried) const {
  const absl::MutexLock lock(&mutex_);
  const int most = std::min(limits_.max_streams, carried);
  return refusal_.ok() ? std::max(0, most - streams_) : 0;
}

void Admission::Release(const std::string& key, size_t bytes, bool stream) {
  const absl::MutexLock lock(&mutex_);
  if (stream) {
    --streams_;
    metrics_.streams_active.Set(streams_);
    return;
  }
  --requests_;
  bytes_ -= bytes;
  metrics_.requests_active.Set(requests_);
  const auto held = by_key_.find(key);
  if (held == by_key_.end()) return;
  held->second.bytes -= bytes;
  if (--held->second.requests == 0) by_key_.erase(held);
}

void Admission::ReleaseBytes(const std::string& key, size_t bytes) {
  const absl::MutexLock lock(&mutex_);
  bytes_ -= bytes;
  const auto held = by_key_.find(key);
  if (held != by_key_.end()) held->second.bytes -= bytes;
}

absl::Status Admission::Overloaded(absl::string_view what) const {
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(
                     absl::StrCat("overloaded: ", what, "; try again soon")),
                 reason::kOverloaded),
      kRetryDelay);
}

}  // namespace sam3
