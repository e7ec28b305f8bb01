#include "tests/e2e/live_fixture.h"

#include "absl/strings/str_cat.h"

namespace sam3 {

OpenStream::OpenStream(v1::SegmentationService::Stub& stub,
                       const v1::StreamConfig& config)
    : stream_(stub.SegmentStream(&context_)) {
  v1::SegmentStreamRequest request;
  *request.mutable_config() = config;
  stream_->Write(request);
}

v1::SourceEvent OpenStream::AwaitEvent(v1::SourceEvent::Kind kind) {
  return Await([kind](const v1::SegmentStreamResponse& response) {
           return response.has_source_event() &&
                  response.source_event().kind() == kind;
         })
      .source_event();
}

v1::FrameResult OpenStream::AwaitResult() {
  return Await([](const v1::SegmentStreamResponse& response) {
           return response.has_result();
         })
      .result();
}

grpc::Status OpenStream::Finish() {
  Await([](const v1::SegmentStreamResponse&) { return false; });
  return stream_->Finish();
}

SegmenterOptions LiveFixture::OptionsFor(const std::vector<int>& ports) {
  SegmenterOptions options;
  options.url_gate.allow_http = true;
  options.url_gate.networks = {"127.0.0.0/8"};
  for (const int port : ports) {
    options.url_gate.hosts.push_back(absl::StrCat("127.0.0.1:", port));
    options.url_gate.hosts.push_back(absl::StrCat("rtsp://127.0.0.1:", port));
  }
  return options;
}

void LiveFixture::StartFor(int port) {
  SegmenterOptions options = OptionsFor({port});
  options.live.stall_after = absl::Milliseconds(100);
  options.live.give_up_after = absl::Milliseconds(600);
  StartServer(options, {});
}

v1::StreamConfig LiveFixture::ConfigFor(const std::string& url) {
  v1::StreamConfig config;
  config.set_url(url);
  config.add_prompts()->set_text("red");
  return config;
}

std::string LiveFixture::MultipartHead() {
  return "HTTP/1.1 200 OK\r\n"
         "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
}

std::string LiveFixture::Part() {
  return absl::StrCat("--frame\r\nContent-Length: ", Picture().size(),
                      "\r\n\r\n", Picture(), "\r\n");
}

}  // namespace sam3
