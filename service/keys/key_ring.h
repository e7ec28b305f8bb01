#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/logging.h"
#include "service/keys/folder_watch.h"
#include "service/keys/key_file.h"
#include "service/keys/key_metrics.h"

namespace sam3 {

// By id. Never changes once it is in force.
using KeySet = absl::flat_hash_map<std::string, KeyRecord>;

// The keys that are in force: those of a file that is read again whenever it
// changes. A file that cannot be used leaves the last good keys in force, which
// one line in the log and a metric say.
//
// Threads: keys() from any, it does not block; has a thread of its own that
// reads the file and ends with the ring.
class KeyRing {
 public:
  struct Options {
    std::string path;
    // Changes that the system does not report are found so often.
    absl::Duration poll_interval = absl::Seconds(30);
  };

  // Reads the file once. Borrowed objects must outlive the ring; without a
  // logger nothing is told. The errors of ReadKeyFile().
  static absl::StatusOr<std::unique_ptr<KeyRing>> Open(const Options& options,
                                                       KeyMetrics& metrics,
                                                       const Logger* logger);
  ~KeyRing();

  std::shared_ptr<const KeySet> keys() const;

 private:
  KeyRing(const Options& options, KeyMetrics& metrics, const Logger* logger);

  void Watch();
  absl::Status Reload();
  void PutInForce(const std::vector<KeyRecord>& keys);
  void KeepOld(const absl::Status& why);

  const Options options_;
  KeyMetrics& metrics_;
  const Logger* const logger_;
  FolderWatch watch_;
  // What the file said last, or why it could not be read: the thread's own
  // once it runs.
  std::string last_text_;
  std::string last_error_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const KeySet> keys_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace sam3
