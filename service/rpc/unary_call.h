#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/request_context.h"
#include "service/grpc_status.h"
#include "service/rpc/call_context.h"
#include "service/rpc/call_log.h"
#include "service/rpc/completion_loop.h"
#include "service/rpc/wire.h"

namespace sam3 {

// One unary RPC, from the moment the server waits for it to its last tag. It
// lives as long as an operation or a handler holds it.
//
// Threads: continuations run on the loop's pollers; the handler's `respond` may
// be called from any thread, once.
template <typename Request, typename Response>
class UnaryCall
    : public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  using Respond = std::function<void(absl::StatusOr<Response>)>;
  // Asks the service for the next call of this method.
  using Accept =
      std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*,
                         grpc::ServerCompletionQueue*, void* tag)>;
  // Must not block; calls `respond` exactly once, now or later. The request
  // stays in place until then.
  using Handle = std::function<void(
      const Request&, std::shared_ptr<RequestContext>, Respond respond)>;

  // Waits for a call; each call that comes waits for the next one first.
  static void Listen(CompletionLoop& loop, CallLog& log,
                     Authenticator* authenticator, RpcMethod method,
                     Accept accept, Handle handle) {
    std::shared_ptr<UnaryCall> call(new UnaryCall(loop, log, authenticator,
                                                  method, std::move(accept),
                                                  std::move(handle)));
    // gRPC never gives this tag back for a call that does not start.
    void* done = CompletionLoop::Tag([call](bool) { call->OnDone(); });
    call->context_.AsyncNotifyWhenDone(done);
    call->accept_(&call->context_, &call->bytes_, &call->responder_,
                  loop.queue(), CompletionLoop::Tag([call, done](bool ok) {
                    if (ok) {
                      call->OnArrived();
                    } else {
                      CompletionLoop::Discard(done);
                    }
                  }));
  }

 private:
  UnaryCall(CompletionLoop& loop, CallLog& log, Authenticator* authenticator,
            RpcMethod method, Accept accept, Handle handle)
      : loop_(loop),
        presence_(loop),
        log_(log),
        authenticator_(authenticator),
        method_(method),
        accept_(std::move(accept)),
        handle_(std::move(handle)),
        responder_(&context_) {}

  void OnArrived() {
    Listen(loop_, log_, authenticator_, method_, accept_, handle_);
    auto permit = AdmitCall(context_, method_, authenticator_);
    if (!permit.ok()) return Finish(permit.status());
    absl::Status parsed = ParseMessage(&bytes_, &request_);
    if (!parsed.ok()) return Finish(std::move(parsed));
    auto request_context =
        MakeRequestContext(context_, RequestId(request_), (*permit)->key_id());
    {
      const absl::MutexLock lock(&mutex_);
      permit_ = *std::move(permit);
      request_context_ = request_context;
      if (done_) request_context->Cancel();
    }
    handle_(
        request_, std::move(request_context),
        [self = this->shared_from_this()](absl::StatusOr<Response> response) {
          self->Finish(std::move(response));
        });
  }

  // The client left, its deadline passed, or the answer is out.
  void OnDone() {
    const absl::MutexLock lock(&mutex_);
    done_ = true;
    if (request_context_ != nullptr && context_.IsCancelled()) {
      request_context_->Cancel();
    }
  }

  void Finish(absl::StatusOr<Response> response) {
    Leave();
    log_.UnaryEnded(method_, context_, response.status());
    void* tag = CompletionLoop::Tag([self = this->shared_from_this()](bool) {});
    if (response.ok()) {
      responder_.Finish(SerializeMessage(*response), grpc::Status::OK, tag);
    } else {
      AddRetryPushback(response.status(), &context_);
      responder_.FinishWithError(ToGrpcStatus(response.status()), tag);
    }
  }

  // Before the client can know and come again.
  void Leave() {
    const absl::MutexLock lock(&mutex_);
    if (permit_ != nullptr) permit_->ChargePixels(request_context_->pixels());
    permit_.reset();
  }

  template <typename T>
  static std::string RequestId(const T& request) {
    if constexpr (requires { request.request_id(); }) {
      return request.request_id();
    } else {
      return "";
    }
  }

  CompletionLoop& loop_;
  const CompletionLoop::Presence presence_;
  CallLog& log_;
  Authenticator* const authenticator_;
  const RpcMethod method_;
  const Accept accept_;
  const Handle handle_;
  grpc::ServerContext context_;
  grpc::ByteBuffer bytes_;
  Request request_;
  Responder responder_;
  absl::Mutex mutex_;
  // Held from the moment that the call was let in until it is answered.
  std::shared_ptr<const CallPermit> permit_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RequestContext> request_context_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sam3
