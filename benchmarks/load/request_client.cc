#include "benchmarks/load/request_client.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sam3 {

struct RequestClient::Call {
  absl::Time due;
  grpc::ClientContext context;
  v1::SegmentConceptsResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SegmentConceptsResponse>>
      reader;
};

double Tally::Percentile(double quantile) {
  if (latencies_ms.empty()) return 0;
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto rank = static_cast<size_t>(
      std::ceil(quantile * static_cast<double>(latencies_ms.size())));
  return latencies_ms[std::max<size_t>(rank, 1) - 1];
}

RequestClient::RequestClient(int port,
                             std::vector<v1::SegmentConceptsRequest> requests,
                             absl::Duration timeout, std::string key)
    : stub_(v1::SegmentationService::NewStub(
          grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                              grpc::InsecureChannelCredentials()))),
      requests_(std::move(requests)),
      timeout_(timeout),
      key_(std::move(key)),
      collector_([this] { CollectReplies(); }) {}

RequestClient::~RequestClient() {
  queue_.Shutdown();
  collector_.join();
}

void RequestClient::Send(absl::Time due) {
  auto* call = new Call;
  call->due = due;
  call->context.set_deadline(absl::ToChronoTime(due + timeout_));
  if (!key_.empty()) call->context.AddMetadata("x-api-key", key_);
  size_t index = 0;
  {
    const absl::MutexLock lock(&mutex_);
    ++under_way_;
    index = static_cast<size_t>(tally_.sent++) % requests_.size();
  }
  call->reader =
      stub_->AsyncSegmentConcepts(&call->context, requests_[index], &queue_);
  call->reader->Finish(&call->response, &call->status, call);
}

void RequestClient::RefillUntil(absl::Time end) {
  const absl::MutexLock lock(&mutex_);
  refill_until_ = end;
}

Tally RequestClient::Take() {
  const absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return under_way_ == 0;
  };
  mutex_.Await(absl::Condition(&none));
  return std::exchange(tally_, {});
}

void RequestClient::CollectReplies() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    const absl::Time now = absl::Now();
    if (Count(*call, now)) Send(now);
    const absl::MutexLock lock(&mutex_);
    --under_way_;
  }
}

bool RequestClient::Count(const Call& call, absl::Time now) {
  const absl::MutexLock lock(&mutex_);
  switch (call.status.error_code()) {
    case grpc::StatusCode::OK:
      tally_.latencies_ms.push_back(absl::ToDoubleMilliseconds(now - call.due));
      break;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      ++tally_.refused;
      break;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      ++tally_.late;
      break;
    default:
      ++tally_.failed;
  }
  return now < refill_until_;
}

}  // namespace sam3
