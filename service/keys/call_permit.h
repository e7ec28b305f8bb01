#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "service/keys/key_file.h"
#include "service/keys/key_usage.h"

namespace sam3 {

// What lets one call in: in whose name it runs, and the place that it holds in
// that key's limits until it is destroyed. Without keys, a permit of nobody's.
// Threads: any; never blocks.
class CallPermit {
 public:
  CallPermit() = default;
  // The place has been taken already.
  CallPermit(KeyRecord key, Scope scope, std::shared_ptr<KeyUsage> usage,
             KeyUsage::Place place)
      : key_(std::move(key)),
        scope_(scope),
        usage_(std::move(usage)),
        place_(place) {}
  ~CallPermit() {
    if (usage_ != nullptr) usage_->Leave(place_);
  }
  CallPermit(const CallPermit&) = delete;
  CallPermit& operator=(const CallPermit&) = delete;

  // Whose caches, queues and limits count; empty when there are no keys.
  const std::string& key_id() const { return key_.id; }
  const KeyRecord& key() const { return key_; }
  Scope scope() const { return scope_; }

  // Pixels are charged once they are decoded, which is when their number is
  // known; what a key owes holds its next calls up, not the one at hand.
  void ChargePixels(int64_t pixels) const {
    if (usage_ != nullptr && pixels > 0) usage_->AddPixels(pixels);
  }
  // How long a stream should take no more input.
  absl::Duration PixelDebt() const {
    return usage_ == nullptr ? absl::ZeroDuration()
                             : usage_->PixelDebt(key_.limits);
  }

 private:
  const KeyRecord key_ = {};
  const Scope scope_ = Scope::kAll;
  const std::shared_ptr<KeyUsage> usage_ = nullptr;
  const KeyUsage::Place place_ = KeyUsage::Place::kCall;
};

}  // namespace sam3
