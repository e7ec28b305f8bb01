// Streams from cameras, from a client's message to its results, on real
// sockets.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Kind = v1::SourceEvent;

class LiveRpcTest : public ServerFixture {
 protected:
  // A server that may reach `port` of this machine.
  void StartFor(int port) {
    SegmenterOptions options;
    options.url_gate.allow_http = true;
    options.url_gate.networks = {"127.0.0.0/8"};
    options.url_gate.hosts = {absl::StrCat("127.0.0.1:", port),
                              absl::StrCat("rtsp://127.0.0.1:", port)};
    options.live.stall_after = absl::Milliseconds(100);
    options.live.give_up_after = absl::Milliseconds(600);
    StartServer(options, {});
  }

  void Open(const std::string& url) {
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->SegmentStream(context_.get());
    v1::SegmentStreamRequest request;
    request.mutable_config()->set_url(url);
    request.mutable_config()->add_prompts()->set_text("red");
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

  v1::SourceEvent AwaitEvent(Kind::Kind kind) {
    return Await([kind](const v1::SegmentStreamResponse& response) {
             return response.has_source_event() &&
                    response.source_event().kind() == kind;
           })
        .source_event();
  }

  v1::FrameResult AwaitResult() {
    return Await([](const v1::SegmentStreamResponse& response) {
             return response.has_result();
           })
        .result();
  }

  grpc::Status Finish() {
    Await([](const v1::SegmentStreamResponse&) { return false; });
    return stream_->Finish();
  }

  static std::string MultipartHead() {
    return "HTTP/1.1 200 OK\r\n"
           "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
  }
  static std::string Part() {
    return absl::StrCat("--frame\r\nContent-Length: ", Picture().size(),
                        "\r\n\r\n", Picture(), "\r\n");
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
};

TEST_F(LiveRpcTest, PromptsOfACamerasStreamComeAndGo) {
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead());
    do {
      peer.Send(Part());
    } while (!peer.GoneWithin(absl::Milliseconds(5)));
  });
  StartFor(camera.port());
  Open(camera.UrlOf("/"));
  AwaitResult();
  v1::SegmentStreamRequest update;
  v1::ConceptPrompt* added = update.mutable_prompt_update()->add_add();
  added->set_prompt_id("also");
  added->set_text("blue");
  stream_->Write(update);
  const auto updated = Await([](const v1::SegmentStreamResponse& response) {
    return response.has_prompts_updated();
  });
  const int64_t from = updated.prompts_updated().effective_frame_index();
  const auto found = Await([](const v1::SegmentStreamResponse& response) {
    return response.has_result() &&
           response.result().result().prompt_id() == "also";
  });
  EXPECT_GE(found.result().frame_index(), from);
  EXPECT_EQ(found.result().result().instances_size(), 1);
  context_->TryCancel();
  Finish();
}

TEST_F(LiveRpcTest, ACameraThatGoesAndComesBackStaysOneStream) {
  ScriptedWebServer camera;
  std::atomic<int> connections{0};
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    const bool first = connections++ == 0;
    peer.Send(MultipartHead() + Part());
    while (!first && !peer.GoneWithin(absl::Milliseconds(20))) {
      peer.Send(Part());
    }
  });
  StartFor(camera.port());
  Open(camera.UrlOf("/"));
  const auto started =
      Await([](const v1::SegmentStreamResponse&) { return true; });
  EXPECT_EQ(started.started().policy().delivery(),
            v1::StreamConfig::DELIVERY_LATEST);
  const v1::SourceEvent opened = AwaitEvent(Kind::KIND_OPENED);
  EXPECT_EQ(opened.width_px(), 128);
  EXPECT_EQ(opened.height_px(), 64);
  const v1::SourceEvent lost = AwaitEvent(Kind::KIND_RECONNECTING);
  EXPECT_EQ(lost.failure(), Kind::FAILURE_CONNECTION);
  EXPECT_EQ(lost.attempt(), 1);
  EXPECT_GT(lost.retry_delay().seconds() * 1e9 + lost.retry_delay().nanos(),
            0.7e9);
  EXPECT_THAT(lost.message(), HasSubstr("reconnecting (1)"));
  const v1::SourceEvent back = AwaitEvent(Kind::KIND_BACK);
  EXPECT_EQ(back.frame_index(), 1);
  EXPECT_GT(back.outage().seconds() * 1e9 + back.outage().nanos(), 0.7e9);
  const v1::FrameResult first = AwaitResult();
  EXPECT_TRUE(first.discontinuity());
  EXPECT_EQ(first.result().instances_size(), 1);
  const v1::FrameResult second = AwaitResult();
  EXPECT_FALSE(second.discontinuity());
  EXPECT_GT(
      second.start_offset().seconds() * 1e9 + second.start_offset().nanos(),
      first.start_offset().seconds() * 1e9 + first.start_offset().nanos());
  context_->TryCancel();
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(LiveRpcTest, AStallIsToldAndPasses) {
  ScriptedWebServer camera;
  std::atomic<bool> stalled{false};
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead() + Part());
    while (!stalled && !peer.GoneWithin(absl::Milliseconds(10))) {
    }
    peer.Send(Part());
    peer.AwaitGone();
  });
  StartFor(camera.port());
  Open(camera.UrlOf("/"));
  EXPECT_THAT(AwaitEvent(Kind::KIND_STALLED).message(), HasSubstr("stalled"));
  stalled = true;
  EXPECT_EQ(AwaitEvent(Kind::KIND_BACK).frame_index(), 1);
  EXPECT_FALSE(AwaitResult().discontinuity());
  // Silent for good.
  EXPECT_EQ(AwaitEvent(Kind::KIND_STALLED).frame_index(), 2);
  EXPECT_EQ(AwaitEvent(Kind::KIND_RECONNECTING).failure(),
            Kind::FAILURE_TIMEOUT);
  context_->TryCancel();
  Finish();
}

TEST_F(LiveRpcTest, WhatIsNotAllowedIsRefused) {
  ScriptedCamera camera({.description = DescribeH264()});
  const auto refused = [&](const std::string& url) {
    Open(url);
    const grpc::Status status = Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << url;
    EXPECT_EQ(ReasonIn(status), "SOURCE_NOT_ALLOWED");
    EXPECT_THAT(FieldsIn(status), Contains("config.url"));
    EXPECT_THAT(status.error_message(), Not(HasSubstr("s3cret")));
  };
  refused(camera.Url("user:s3cret"));
  StartFor(camera.port() == 1 ? 2 : 1);
  refused(camera.Url("user:s3cret"));
  refused("rtsps://127.0.0.1/");
  refused("udp://127.0.0.1/");
  refused("file:///etc/passwd");
  EXPECT_THAT(camera.requests(), testing::IsEmpty());
}

TEST_F(LiveRpcTest, ASourceThatIsNotThereEndsTheStreamWithItsReason) {
  ScriptedWebServer web;
  StartFor(web.port());
  Open(web.UrlOf("/none"));
  const grpc::Status status = Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonIn(status), "MEDIA_UNREACHABLE");
  EXPECT_THAT(FieldsIn(status), Contains("config.url"));
  EXPECT_THAT(status.error_message(), HasSubstr("404"));
  Open("");
  EXPECT_EQ(Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(LiveRpcTest, ClientsThatLeaveFreeThreadsAndSockets) {
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead() + Part());
    while (!peer.GoneWithin(absl::Milliseconds(5))) peer.Send(Part());
  });
  StartFor(camera.port());
  const auto count = [](const char* what) {
    const std::filesystem::directory_iterator entries(
        absl::StrCat("/proc/self/", what));
    return std::distance(begin(entries), end(entries));
  };
  const auto round = [&] {
    Open(camera.UrlOf("/"));
    EXPECT_EQ(AwaitResult().result().instances_size(), 1);
    context_->TryCancel();
    Finish();
    EXPECT_TRUE(
        Eventually([&] { return metrics_.streams_active.value() == 0; }));
  };
  // What is made once is there after the first.
  round();
  const auto threads = count("task");
  for (int i = 0; i < 10; ++i) round();
  // The scripted server keeps its own threads and sockets.
  EXPECT_TRUE(Eventually([&] { return count("task") <= threads + 12; }));
}

TEST_F(LiveRpcTest, ADrainingServerEndsTheStream) {
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead() + Part());
    peer.AwaitGone();
  });
  StartFor(camera.port());
  Open(camera.UrlOf("/"));
  AwaitResult();
  server_->Drain(absl::Now() + absl::Milliseconds(200));
  EXPECT_EQ(ReasonIn(Finish()), "DRAINING");
}

}  // namespace
}  // namespace sam3
