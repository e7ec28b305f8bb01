#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sam3 {

// What follows one request through every stage: who asked, until when, and
// whether they still want the answer. Shared by the call that made it and the
// jobs it caused. Thread-safe; never blocks.
class RequestContext {
 public:
  RequestContext(std::string request_id, std::string tenant,
                 absl::Time deadline)
      : request_id_(std::move(request_id)),
        tenant_(std::move(tenant)),
        deadline_(deadline) {}

  const std::string& request_id() const { return request_id_; }
  // Whose caches and quotas count; empty when there are no keys.
  const std::string& tenant() const { return tenant_; }
  // absl::InfiniteFuture() when there is none.
  absl::Time deadline() const { return deadline_; }

  // Counts pixels that were decoded for it; what they cost is the service's
  // business.
  void AddPixels(int64_t pixels) {
    pixels_.fetch_add(pixels, std::memory_order_relaxed);
  }
  int64_t pixels() const { return pixels_.load(std::memory_order_relaxed); }

  void Cancel() { cancelled_.store(true, std::memory_order_release); }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  // OK while the answer is still wanted; CANCELLED or DEADLINE_EXCEEDED after.
  // Asked before every stage, so that nobody works for a client that left.
  absl::Status StillWanted(absl::Time now) const {
    if (cancelled()) return absl::CancelledError("the client cancelled");
    if (now >= deadline_) {
      return absl::DeadlineExceededError("the request's deadline has passed");
    }
    return absl::OkStatus();
  }

 private:
  const std::string request_id_;
  const std::string tenant_;
  const absl::Time deadline_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> pixels_{0};
};

}  // namespace sam3
