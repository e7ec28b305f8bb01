#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// A few threads that run tasks in the order they came. Threads are started
// when there is work for them and kept until the end.
//
// Threads: any may schedule; tasks may schedule more. Neither call blocks.
// The destructor runs what is still queued, then joins: tasks must therefore
// end by themselves, and no task may destroy its own pool.
class ThreadPool {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  struct Options {
    // Shown by debuggers and top; cut to 15 characters.
    std::string name;
    int max_threads = 1;
    // Tasks that may wait before TrySchedule() says no.
    size_t max_queued = 64;
  };

  explicit ThreadPool(Options options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // For callers who bound their own work, such as one task a stream.
  void Schedule(Task task);

  // For work that may be refused: false, and the task is dropped, when too many
  // tasks wait.
  [[nodiscard]] bool TrySchedule(Task task);

 private:
  void Add(Task task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunTasks();
  bool WorkOrStop() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  const Options options_;
  absl::Mutex mutex_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sam3
