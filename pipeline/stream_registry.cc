#include "pipeline/stream_registry.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(250);

}  // namespace

StreamRegistry::StreamRegistry(PipelineCore& core)
    : core_(core), ticker_([this] { TickUntilStopped(); }) {
  pthread_setname_np(ticker_.native_handle(), "sam3-streams");
}

StreamRegistry::~StreamRegistry() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  ticker_.join();
}

absl::StatusOr<std::shared_ptr<StreamSession>> StreamRegistry::Open(
    StreamConfig config, std::shared_ptr<RequestContext> context,
    StreamListener* listener, std::unique_ptr<Admission::Ticket> ticket) {
  uint64_t number = 0;
  {
    const absl::MutexLock lock(&mutex_);
    number = next_number_++;
  }
  auto stream = std::make_shared<LocalStream>(core_, number, std::move(config),
                                              std::move(context), listener,
                                              std::move(ticket));
  SAM3_RETURN_IF_ERROR(stream->Start());
  std::vector<Order> orders;
  {
    const absl::MutexLock lock(&mutex_);
    streams_.push_back(stream);
    orders = orders_;
  }
  for (const Order& order : orders) order(*stream);
  return stream;
}

void StreamRegistry::GoAway(absl::Time until) {
  GiveAll([until](LocalStream& stream) { stream.GoAway(until); });
}

void StreamRegistry::Drain(const absl::Status& status) {
  GiveAll([status](LocalStream& stream) { stream.Drain(status); });
}

void StreamRegistry::CancelAll(const absl::Status& status) {
  GiveAll([status](LocalStream& stream) { stream.Cancel(status); });
}

void StreamRegistry::GiveAll(const Order& order) {
  std::vector<std::shared_ptr<LocalStream>> streams;
  {
    const absl::MutexLock lock(&mutex_);
    streams = streams_;
    orders_.push_back(order);
  }
  for (const auto& stream : streams) order(*stream);
}

void StreamRegistry::TickUntilStopped() {
  while (true) {
    std::vector<std::shared_ptr<LocalStream>> dead;
    std::vector<std::shared_ptr<LocalStream>> live;
    {
      const absl::MutexLock lock(&mutex_);
      core_.clock.AwaitWithDeadline(&mutex_, absl::Condition(&stopping_),
                                    core_.clock.Now() + kTick);
      const auto keep = std::partition(
          streams_.begin(), streams_.end(),
          [](const auto& stream) { return !stream->Reapable(); });
      dead.assign(std::make_move_iterator(keep),
                  std::make_move_iterator(streams_.end()));
      streams_.erase(keep, streams_.end());
      if (stopping_) return;
      live = streams_;
    }
    const absl::Time now = core_.clock.Now();
    for (const auto& stream : live) stream->Tick(now);
  }
}

}  // namespace sam3
