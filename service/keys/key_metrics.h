#pragma once

#include <array>
#include <cstddef>
#include <iterator>

#include "absl/strings/string_view.h"
#include "pipeline/error_reason.h"
#include "pipeline/metrics.h"

namespace sam3 {

// Why keys are refused.
inline constexpr absl::string_view kKeyReasons[] = {
    reason::kKeyMissing, reason::kKeyInvalid, reason::kKeyExpired,
    reason::kKeyRevoked, reason::kKeyScope,   reason::kKeyLimit};

// What happens to keys, on all doors together. Threads: any; never blocks.
struct KeyMetrics {
  Counter reloads;
  Counter failed_reloads;
  // 1 while the file cannot be used and older keys are in force.
  Gauge stale;
  // In the file that is in force, revoked and expired ones included.
  Gauge keys;
  // In the order of kKeyReasons.
  std::array<Counter, std::size(kKeyReasons)> refused;

  void CountRefusal(absl::string_view reason) {
    for (size_t i = 0; i < refused.size(); ++i) {
      if (kKeyReasons[i] == reason) refused[i].Add();
    }
  }
};

}  // namespace sam3
