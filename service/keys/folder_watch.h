#pragma once

#include <atomic>
#include <string>

#include "absl/time/time.h"

namespace sam3 {

// Waits until something in a folder may have changed: files written, replaced
// or removed, also when a link in it is pointed elsewhere, as Kubernetes does
// with `..data`. A folder that is itself replaced is found again.
//
// Threads: Await() from one; Stop() from any.
class FolderWatch {
 public:
  explicit FolderWatch(std::string folder);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // Blocks until a change, or for `timeout` at most: a change behind a link
  // that leads out of the folder is not seen. A burst of changes is one. False
  // once stopped.
  bool Await(absl::Duration timeout);

  void Stop();

 private:
  // Whether it was stopped within the time.
  bool AwaitStop(absl::Duration timeout);

  // The same number again, as long as the folder is the same; negative without
  // a folder or watches.
  int AddWatch() const;

  const std::string folder_;
  // -1 where the system has no watches left; then there are timeouts only.
  const int events_;
  const int stop_;
  int watched_ = -1;
  std::atomic<bool> stopped_{false};
};

}  // namespace sam3
