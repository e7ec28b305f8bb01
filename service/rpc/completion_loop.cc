#include "service/rpc/completion_loop.h"

#include <grpcpp/alarm.h>
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
  const absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  auto alarm = std::make_shared<grpc::Alarm>();
  // The continuation keeps its own alarm alive until it has fired.
  alarm->Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC),
             Tag([alarm, task = std::move(task)](bool) { task(); }));
}

void CompletionLoop::Stop() {
  {
    const absl::MutexLock lock(&mutex_);
    if (stopped_ || queue_ == nullptr) return;
    stopped_ = true;
    queue_->Shutdown();
  }
  for (std::thread& poller : pollers_) poller.join();
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
