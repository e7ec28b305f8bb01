#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "sam3/v1/segmentation_service.grpc.pb.h"

namespace sam3 {

// One SegmentStream. A file that is pushed is sent by a thread of its own,
// which ends the input behind it; the input of other sources is left open, as
// they end by themselves or not at all.
//
// Threads: one; Cancel() from any.
class ClientStream {
 public:
  // `file` is empty when the source is not pushed. The stub must outlive the
  // call.
  ClientStream(v1::SegmentationService::Stub& stub,
               const v1::SegmentStreamRequest& config, const std::string& file);
  // Cancels what has not finished.
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // Blocks for the next message; false when there will be none.
  bool Read(v1::SegmentStreamResponse* message);

  void Cancel() { context_.TryCancel(); }

  // Once, behind the last message or Cancel(): how the call ended.
  grpc::Status Finish();

 private:
  void SendFile(const std::string& path);

  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                                 v1::SegmentStreamResponse>>
      stream_;
  std::thread sender_;
};

}  // namespace sam3
