#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/server_fixture.h"

namespace sam3 {

// One stream that a client has opened, and what came on it.
class OpenStream {
 public:
  OpenStream(v1::SegmentationService::Stub& stub,
             const v1::StreamConfig& config);

  void Write(const v1::SegmentStreamRequest& request) {
    stream_->Write(request);
  }

  // The next message that `wanted` likes; others are passed over. Empty at the
  // end.
  template <typename Wanted>
  v1::SegmentStreamResponse Await(const Wanted& wanted) {
    v1::SegmentStreamResponse response;
    while (stream_->Read(&response)) {
      if (wanted(response)) return response;
    }
    return {};
  }
  v1::SourceEvent AwaitEvent(v1::SourceEvent::Kind kind);
  v1::FrameResult AwaitResult();

  void Cancel() { context_.TryCancel(); }
  // Reads to the end.
  grpc::Status Finish();

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
};

// A server that may reach scripted cameras.
class LiveFixture : public ServerFixture {
 protected:
  // What a server needs to reach `ports` of this machine.
  static SegmenterOptions OptionsFor(const std::vector<int>& ports);

  // Such a server, which is quick to give up.
  void StartFor(int port);

  // Over `url`, with the prompt "red".
  static v1::StreamConfig ConfigFor(const std::string& url);
  std::unique_ptr<OpenStream> Open(const v1::StreamConfig& config) {
    return std::make_unique<OpenStream>(*stub_, config);
  }
  std::unique_ptr<OpenStream> Open(const std::string& url) {
    return Open(ConfigFor(url));
  }

  // Of a camera that sends multipart pictures; Picture() as one part.
  static std::string MultipartHead();
  static std::string Part();
};

}  // namespace sam3
