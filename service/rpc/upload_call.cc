#include "service/rpc/upload_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "service/grpc_status.h"
#include "service/rpc/call_context.h"

namespace sam3 {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(1);

}  // namespace

void UploadCall::Listen(CompletionLoop& loop, WireService& service,
                        const SegmentationCalls& calls, UploadBudget& budget,
                        CallLog& log, Authenticator* authenticator) {
  std::shared_ptr<UploadCall> call(
      new UploadCall(loop, service, calls, budget, log, authenticator));
  // gRPC never gives this tag back for a call that does not start.
  void* done = CompletionLoop::Tag([call](bool) { call->OnDone(); });
  call->context_.AsyncNotifyWhenDone(done);
  service.RequestUploadImage(&call->context_, &call->reader_, loop.queue(),
                             loop.queue(),
                             CompletionLoop::Tag([call, done](bool ok) {
                               if (ok) {
                                 call->OnArrived();
                               } else {
                                 CompletionLoop::Discard(done);
                               }
                             }));
}

void UploadCall::OnArrived() {
  Listen(loop_, service_, calls_, budget_, log_, authenticator_);
  auto permit = AdmitCall(context_, RpcMethod::kUploadImage, authenticator_);
  const absl::MutexLock lock(&mutex_);
  if (!permit.ok()) return FinishLocked(permit.status());
  permit_ = *std::move(permit);
  request_context_ = MakeRequestContext(context_, "", permit_->key_id());
  Read();
}

void UploadCall::OnDone() {
  const absl::MutexLock lock(&mutex_);
  done_ = true;
  StopTimer();
  if (request_context_ != nullptr && context_.IsCancelled()) {
    request_context_->Cancel();
  }
}

void UploadCall::Read() {
  if (!done_) {
    timer_ =
        loop_.PostAfter(calls_.validator().limits().message_timeout,
                        [self = shared_from_this()] { self->OnSilence(); });
  }
  reader_.Read(&incoming_,
               CompletionLoop::Tag(
                   [self = shared_from_this()](bool ok) { self->OnRead(ok); }));
}

void UploadCall::OnSilence() {
  const absl::MutexLock lock(&mutex_);
  if (timer_ == nullptr) return;
  FinishLocked(WithReason(
      absl::DeadlineExceededError("the next message did not come in time"),
      reason::kSlowProducer));
}

void UploadCall::StopTimer() {
  if (timer_ != nullptr) timer_->Cancel();
  timer_ = nullptr;
}

void UploadCall::OnRead(bool ok) {
  {
    const absl::MutexLock lock(&mutex_);
    StopTimer();
    if (finished_) return;
    if (ok) {
      absl::Status taken = Receive();
      if (!taken.ok()) return FinishLocked(std::move(taken));
      return Read();
    }
  }
  Embed();
}

absl::Status UploadCall::Receive() {
  SAM3_RETURN_IF_ERROR(ParseMessage(&incoming_, &message_));
  const size_t size = message_.data().size();
  const auto chunk_limit =
      static_cast<size_t>(calls_.validator().limits().max_chunk_bytes);
  if (size > chunk_limit) {
    return InvalidRequest(
        {{"data", absl::StrCat("has more than ", chunk_limit, " bytes")}});
  }
  const auto limit =
      static_cast<size_t>(calls_.segmenter().image_limits().max_bytes);
  if (bytes_.size() + size > limit) {
    return WithField(
        WithReason(absl::ResourceExhaustedError(absl::StrCat(
                       "the picture has more than ", limit, " bytes")),
                   reason::kMediaTooLarge),
        "data");
  }
  if (first_) {
    request_.mutable_image()->set_image_id(message_.image_id());
    request_.set_model_id(message_.model_id());
  } else if (!message_.image_id().empty() || !message_.model_id().empty()) {
    return InvalidRequest(
        {{message_.image_id().empty() ? "model_id" : "image_id",
          "belongs into the first message"}});
  }
  first_ = false;
  if (!budget_.Take(static_cast<int64_t>(size))) {
    return WithRetryAfter(
        WithReason(absl::ResourceExhaustedError(
                       "overloaded: uploads that are under way hold all the "
                       "memory that they may; try again soon"),
                   reason::kOverloaded),
        kRetryDelay);
  }
  taken_bytes_ += static_cast<int64_t>(size);
  bytes_.append(message_.data());
  return absl::OkStatus();
}

void UploadCall::Embed() {
  v1::EmbedImageRequest request;
  std::shared_ptr<RequestContext> context;
  {
    const absl::MutexLock lock(&mutex_);
    request.Swap(&request_);
    request.mutable_image()->set_content(std::move(bytes_));
    context = request_context_;
  }
  calls_.EmbedImage(
      request, context,
      [self = shared_from_this()](absl::StatusOr<v1::EmbedImageResponse> from) {
        if (!from.ok()) {
          return self->Finish(WithRenamedFields(
              from.status(),
              {{"image.content", "data"}, {"image.image_id", "image_id"}}));
        }
        v1::UploadImageResponse response;
        response.mutable_image_info()->Swap(from->mutable_image_info());
        response.mutable_timings()->Swap(from->mutable_timings());
        response.set_embedding_cache(from->embedding_cache());
        self->Finish(std::move(response));
      });
}

void UploadCall::Finish(absl::StatusOr<v1::UploadImageResponse> response) {
  const absl::MutexLock lock(&mutex_);
  FinishLocked(std::move(response));
}

void UploadCall::FinishLocked(
    absl::StatusOr<v1::UploadImageResponse> response) {
  if (finished_) return;
  finished_ = true;
  StopTimer();
  // Before the client can know and come again.
  budget_.Return(taken_bytes_);
  if (permit_ != nullptr) permit_->ChargePixels(request_context_->pixels());
  permit_.reset();
  log_.UnaryEnded(RpcMethod::kUploadImage, context_, response.status());
  void* tag = CompletionLoop::Tag([self = shared_from_this()](bool) {});
  if (response.ok()) {
    reader_.Finish(SerializeMessage(*response), grpc::Status::OK, tag);
  } else {
    AddRetryPushback(response.status(), &context_);
    reader_.FinishWithError(ToGrpcStatus(response.status()), tag);
  }
}

}  // namespace sam3
