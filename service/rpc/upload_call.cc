#include "service/rpc/upload_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "service/grpc_status.h"
#include "service/rpc/call_context.h"

namespace sam3 {

void UploadCall::Listen(CompletionLoop& loop,
                        v1::SegmentationService::AsyncService& service,
                        const SegmentationCalls& calls) {
  std::shared_ptr<UploadCall> call(new UploadCall(loop, service, calls));
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
  Listen(loop_, service_, calls_);
  {
    const absl::MutexLock lock(&mutex_);
    request_context_ = MakeRequestContext(context_, "");
  }
  Read();
}

void UploadCall::OnDone() {
  const absl::MutexLock lock(&mutex_);
  if (request_context_ != nullptr && context_.IsCancelled()) {
    request_context_->Cancel();
  }
}

void UploadCall::Read() {
  reader_.Read(&message_,
               CompletionLoop::Tag(
                   [self = shared_from_this()](bool ok) { self->OnRead(ok); }));
}

void UploadCall::OnRead(bool ok) {
  if (ok) {
    const auto limit =
        static_cast<size_t>(calls_.segmenter().image_limits().max_bytes);
    if (bytes_.size() + message_.data().size() > limit) {
      return Finish(WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "the picture has more than ", limit, " bytes, the limit")),
          reason::kMediaTooLarge));
    }
    if (!message_.image_id().empty()) image_id_ = message_.image_id();
    bytes_.append(message_.data());
    return Read();
  }
  std::shared_ptr<RequestContext> context;
  {
    const absl::MutexLock lock(&mutex_);
    context = request_context_;
  }
  v1::EmbedImageRequest request;
  request.mutable_image()->set_content(std::move(bytes_));
  request.mutable_image()->set_image_id(image_id_);
  calls_.EmbedImage(
      request, context,
      [self = shared_from_this()](absl::StatusOr<v1::EmbedImageResponse> from) {
        if (!from.ok()) return self->Finish(from.status());
        v1::UploadImageResponse response;
        response.mutable_image_info()->Swap(from->mutable_image_info());
        response.mutable_timings()->Swap(from->mutable_timings());
        response.set_embedding_cache(from->embedding_cache());
        self->Finish(std::move(response));
      });
}

void UploadCall::Finish(absl::StatusOr<v1::UploadImageResponse> response) {
  void* tag = CompletionLoop::Tag([self = shared_from_this()](bool) {});
  if (response.ok()) {
    reader_.Finish(*response, grpc::Status::OK, tag);
  } else {
    reader_.FinishWithError(ToGrpcStatus(response.status()), tag);
  }
}

}  // namespace sam3
