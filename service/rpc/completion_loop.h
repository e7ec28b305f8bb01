#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace sam3 {

// A completion queue and the threads that poll it. Everything that happens on a
// call happens on one of these threads, as the continuation of one operation;
// continuations must not block.
//
// Threads: Tag() and Post() from any; Start() and Stop() from the owner's.
class CompletionLoop {
 public:
  // What follows an operation; `ok` as gRPC defines it for that operation.
  using Continuation = std::function<void(bool ok)>;

  // Held by a call for as long as it may start operations; to be destroyed
  // after everything of gRPC's that the call consists of.
  class Presence {
   public:
    explicit Presence(CompletionLoop& loop) : loop_(loop) { loop.Count(1); }
    ~Presence() { loop_.Count(-1); }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

   private:
    CompletionLoop& loop_;
  };

  CompletionLoop() = default;
  ~CompletionLoop();
  CompletionLoop(const CompletionLoop&) = delete;
  CompletionLoop& operator=(const CompletionLoop&) = delete;

  // Takes over the queue, which the server builder made.
  void Start(std::unique_ptr<grpc::ServerCompletionQueue> queue, int threads);

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // A tag for one operation; the loop releases it after running it, which is
  // the only place where that happens.
  static void* Tag(Continuation continuation);

  // Releases a tag whose operation never started.
  static void Discard(void* tag);

  // Runs `task` on a poller soon; nothing once Stop() has begun.
  void Post(std::function<void()> task);

  // Runs `task` on a poller after `delay`, unless the alarm is cancelled
  // before; null once Stop() has begun, which waits for alarms that are still
  // set.
  std::shared_ptr<grpc::Alarm> PostAfter(absl::Duration delay,
                                         std::function<void()> task);

  // Blocks until no call is present, shuts the queue down, runs what is left
  // and joins. The server must have been shut down, and whatever calls wait for
  // must end by itself.
  void Stop();

 private:
  void Poll();
  void Count(int calls);
  bool IsDeserted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return present_ == 0;
  }

  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::vector<std::thread> pollers_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int present_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sam3
