#include "pipeline/thread_pool.h"

#include <pthread.h>

#include <utility>

namespace sam3 {

ThreadPool::ThreadPool(Options options) : options_(std::move(options)) {}

ThreadPool::~ThreadPool() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void ThreadPool::Schedule(Task task) {
  absl::MutexLock lock(&mutex_);
  Add(std::move(task));
}

bool ThreadPool::TrySchedule(Task task) {
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= options_.max_queued) return false;
  Add(std::move(task));
  return true;
}

void ThreadPool::Add(Task task) {
  queue_.push_back(std::move(task));
  // A thread that was woken but does not run yet still counts as idle, hence
  // the comparison with everything that waits.
  if (idle_ < queue_.size() && !stopping_ &&
      threads_.size() < static_cast<size_t>(options_.max_threads)) {
    threads_.emplace_back([this] { RunTasks(); });
    pthread_setname_np(threads_.back().native_handle(),
                       options_.name.substr(0, 15).c_str());
  }
}

void ThreadPool::RunTasks() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    ++idle_;
    mutex_.Await(absl::Condition(this, &ThreadPool::WorkOrStop));
    --idle_;
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    mutex_.Unlock();
    std::move(task)();
    task = nullptr;
    mutex_.Lock();
  }
}

}  // namespace sam3
