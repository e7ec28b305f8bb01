#include "service/rpc/completion_loop.h"

#include <pthread.h>

#include <utility>

namespace sam3 {

CompletionLoop::~CompletionLoop() { Stop(); }

void CompletionLoop::Start(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                           int threads) {
  queue_ = std::move(queue);
  for (int i = 0; i < threads; ++i) {
    pollers_.emplace_back([this] { Poll(); });
    pthread_setname_np(pollers_.back().native_handle(), "sam3-rpc");
  }
}

void* CompletionLoop::Tag(Continuation continuation) {
  return new Continuation(std::move(continuation));
}

void CompletionLoop::Discard(void* tag) {
  const std::unique_ptr<Continuation> unused(static_cast<Continuation*>(tag));
}

void CompletionLoop::Post(std::function<void()> task) {
  PostAfter(absl::ZeroDuration(), std::move(task));
}

std::shared_ptr<grpc::Alarm> CompletionLoop::PostAfter(
    absl::Duration delay, std::function<void()> task) {
  const absl::MutexLock lock(&mutex_);
  if (stopped_) return nullptr;
  auto alarm = std::make_shared<grpc::Alarm>();
  const gpr_timespec due = gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_nanos(absl::ToInt64Nanoseconds(delay), GPR_TIMESPAN));
  // The continuation keeps its own alarm alive until it has fired.
  alarm->Set(queue_.get(), due,
             Tag([alarm, task = std::move(task)](bool fired) {
               if (fired) task();
             }));
  return alarm;
}

void CompletionLoop::Stop() {
  {
    const absl::MutexLock lock(&mutex_);
    if (stopped_ || queue_ == nullptr) return;
    // An operation on a queue that is shut down ends the process.
    mutex_.Await(absl::Condition(this, &CompletionLoop::IsDeserted));
    stopped_ = true;
    queue_->Shutdown();
  }
  for (std::thread& poller : pollers_) poller.join();
}

void CompletionLoop::Count(int calls) {
  const absl::MutexLock lock(&mutex_);
  present_ += calls;
}

void CompletionLoop::Poll() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    const std::unique_ptr<Continuation> continuation(
        static_cast<Continuation*>(tag));
    (*continuation)(ok);
  }
}

}  // namespace sam3
