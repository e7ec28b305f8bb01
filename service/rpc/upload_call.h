#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/request_context.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"
#include "service/rpc/completion_loop.h"
#include "service/segmentation_calls.h"

namespace sam3 {

// One UploadImage RPC: collects the chunks of a picture, then embeds it. Bytes
// beyond the limit end it at once. Lives as long as an operation holds it;
// continuations run on the loop's pollers.
class UploadCall : public std::enable_shared_from_this<UploadCall> {
 public:
  static void Listen(CompletionLoop& loop,
                     v1::SegmentationService::AsyncService& service,
                     const SegmentationCalls& calls);

 private:
  UploadCall(CompletionLoop& loop,
             v1::SegmentationService::AsyncService& service,
             const SegmentationCalls& calls)
      : loop_(loop), service_(service), calls_(calls), reader_(&context_) {}

  void OnArrived();
  void OnDone();
  void Read();
  void OnRead(bool ok);
  absl::Status Receive();
  void Embed();
  void Finish(absl::StatusOr<v1::UploadImageResponse> response);

  CompletionLoop& loop_;
  v1::SegmentationService::AsyncService& service_;
  const SegmentationCalls& calls_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReader<v1::UploadImageResponse, v1::UploadImageRequest>
      reader_;
  // Touched by the one read in flight and what follows it.
  v1::UploadImageRequest message_;
  v1::EmbedImageRequest request_;
  std::string bytes_;
  bool first_ = true;
  absl::Mutex mutex_;
  std::shared_ptr<RequestContext> request_context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
