#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/request_context.h"
#include "service/keys/authenticator.h"
#include "service/rpc/call_log.h"
#include "service/rpc/completion_loop.h"
#include "service/rpc/upload_budget.h"
#include "service/rpc/wire.h"
#include "service/segmentation_calls.h"

namespace sam3 {

// One UploadImage RPC: collects the chunks of a picture, then embeds it. Bytes
// beyond a limit and a client that sends nothing for too long end it at once.
// Lives as long as an operation holds it; continuations run on the loop's
// pollers and hold the mutex.
class UploadCall : public std::enable_shared_from_this<UploadCall> {
 public:
  // Borrowed objects must outlive the calls.
  static void Listen(CompletionLoop& loop, WireService& service,
                     const SegmentationCalls& calls, UploadBudget& budget,
                     CallLog& log, Authenticator* authenticator);

 private:
  UploadCall(CompletionLoop& loop, WireService& service,
             const SegmentationCalls& calls, UploadBudget& budget, CallLog& log,
             Authenticator* authenticator)
      : loop_(loop),
        presence_(loop),
        service_(service),
        calls_(calls),
        budget_(budget),
        log_(log),
        authenticator_(authenticator),
        reader_(&context_) {}

  void OnArrived();
  void OnDone();
  void OnRead(bool ok);
  void OnSilence();
  void Embed();
  void Finish(absl::StatusOr<v1::UploadImageResponse> response);

  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Receive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishLocked(absl::StatusOr<v1::UploadImageResponse> response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CompletionLoop& loop_;
  const CompletionLoop::Presence presence_;
  WireService& service_;
  const SegmentationCalls& calls_;
  UploadBudget& budget_;
  CallLog& log_;
  Authenticator* const authenticator_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReader<grpc::ByteBuffer, grpc::ByteBuffer> reader_;

  absl::Mutex mutex_;
  grpc::ByteBuffer incoming_ ABSL_GUARDED_BY(mutex_);
  v1::UploadImageRequest message_ ABSL_GUARDED_BY(mutex_);
  // Made of the messages; complete when the input has ended.
  v1::EmbedImageRequest request_ ABSL_GUARDED_BY(mutex_);
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  int64_t taken_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool first_ ABSL_GUARDED_BY(mutex_) = true;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // Set while a message is waited for.
  std::shared_ptr<grpc::Alarm> timer_ ABSL_GUARDED_BY(mutex_);
  // Held from the moment that the call was let in until it is answered.
  std::shared_ptr<const CallPermit> permit_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RequestContext> request_context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
