#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "inference/base/logging.h"

namespace sam3 {

// Writes down who presents keys that are no good. A peer can do so at will, and
// gets one line every kInterval, which says how many were left out; peers
// beyond kMaxPeers share one.
//
// Threads: any; blocks for no longer than a line takes to write.
class RefusalLog {
 public:
  static constexpr absl::Duration kInterval = absl::Minutes(1);
  static constexpr size_t kMaxPeers = 1024;

  // Both must outlive the log; without a logger nothing is written.
  RefusalLog(const Logger* logger, Clock& clock)
      : logger_(logger), clock_(clock) {}

  // `key_id` is of a key whose secret was right; empty otherwise: what a
  // stranger says is not repeated.
  void Refused(absl::string_view peer, absl::string_view reason,
               absl::string_view key_id);

 private:
  struct Turn {
    absl::Time next;
    int64_t left_out = 0;
  };

  // Whether a line may be written now; says how many could not be before it.
  bool TakeTurn(const std::string& peer, int64_t* left_out);

  const Logger* const logger_;
  Clock& clock_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Turn> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
