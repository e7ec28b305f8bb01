#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/clock.h"
#include "inference/base/logging.h"
#include "service/keys/call_permit.h"
#include "service/keys/key_metrics.h"
#include "service/keys/key_ring.h"
#include "service/keys/key_usage.h"
#include "service/keys/refusal_log.h"

namespace sam3 {

// What a call presents.
struct PresentedKeys {
  // Every key that was found, wherever it stood; more than one is refused.
  std::vector<absl::string_view> keys;
  // The address that it comes from, without the port.
  std::string peer;
};

// Decides whether a call may come in: asks whose key it presents, whether that
// key is good for it, and whether its limits leave room. All doors ask the same
// one, per call and never per connection.
//
// Whatever is wrong with a key that is whole, the same is computed: a look-up
// by id, a hash of the secret and a comparison of digests in constant time,
// with a digest of nobody's where the id is unknown.
//
// Threads: any; never blocks but for a line in the log. Errors, none of which
// repeats what was presented: UNAUTHENTICATED (KEY_MISSING, KEY_INVALID,
// KEY_EXPIRED, KEY_REVOKED), PERMISSION_DENIED (KEY_SCOPE), RESOURCE_EXHAUSTED
// (KEY_LIMIT) with the time to wait.
class Authenticator {
 public:
  // All must outlive it and its permits; without a logger nothing is written.
  Authenticator(const KeyRing& ring, Clock& clock, KeyMetrics& metrics,
                const Logger* logger)
      : ring_(ring), clock_(clock), metrics_(metrics), log_(logger, clock) {}

  // The permit holds a stream's place for Scope::kStream and a call's for the
  // others.
  absl::StatusOr<std::shared_ptr<const CallPermit>> Admit(
      const PresentedKeys& presented, Scope scope);

  // Whether the permit's key is still good: for calls that last.
  absl::Status Recheck(const CallPermit& permit) const;

 private:
  // OK when `key` is good for `scope`.
  absl::Status Judge(const KeyRecord& key, Scope scope) const;
  absl::StatusOr<KeyRecord> Identify(const PresentedKeys& presented) const;
  std::shared_ptr<KeyUsage> UsageOf(const std::string& id);

  const KeyRing& ring_;
  Clock& clock_;
  KeyMetrics& metrics_;
  RefusalLog log_;
  absl::Mutex mutex_;
  // Of keys that were used, as long as they are in the file.
  absl::flat_hash_map<std::string, std::shared_ptr<KeyUsage>> usages_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
