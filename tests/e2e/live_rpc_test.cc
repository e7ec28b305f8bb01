// Streams from cameras, from a client's message to its results, on real
// sockets.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "tests/e2e/live_fixture.h"
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

class LiveRpcTest : public LiveFixture {};

TEST_F(LiveRpcTest, PromptsOfACamerasStreamComeAndGo) {
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead());
    do {
      peer.Send(Part());
    } while (!peer.GoneWithin(absl::Milliseconds(5)));
  });
  StartFor(camera.port());
  const auto stream = Open(camera.UrlOf("/"));
  stream->AwaitResult();
  v1::SegmentStreamRequest update;
  v1::ConceptPrompt* added = update.mutable_prompt_update()->add_add();
  added->set_prompt_id("also");
  added->set_text("blue");
  stream->Write(update);
  const auto updated =
      stream->Await([](const v1::SegmentStreamResponse& response) {
        return response.has_prompts_updated();
      });
  const int64_t from = updated.prompts_updated().effective_frame_index();
  const auto found =
      stream->Await([](const v1::SegmentStreamResponse& response) {
        return response.has_result() &&
               response.result().result().prompt_id() == "also";
      });
  EXPECT_GE(found.result().frame_index(), from);
  EXPECT_EQ(found.result().result().instances_size(), 1);
  stream->Cancel();
  stream->Finish();
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
  const auto stream = Open(camera.UrlOf("/"));
  const auto started =
      stream->Await([](const v1::SegmentStreamResponse&) { return true; });
  EXPECT_EQ(started.started().policy().delivery(),
            v1::StreamConfig::DELIVERY_LATEST);
  const v1::SourceEvent opened = stream->AwaitEvent(Kind::KIND_OPENED);
  EXPECT_EQ(opened.width_px(), 128);
  EXPECT_EQ(opened.height_px(), 64);
  const v1::SourceEvent lost = stream->AwaitEvent(Kind::KIND_RECONNECTING);
  EXPECT_EQ(lost.failure(), Kind::FAILURE_CONNECTION);
  EXPECT_EQ(lost.attempt(), 1);
  EXPECT_GT(lost.retry_delay().seconds() * 1e9 + lost.retry_delay().nanos(),
            0.7e9);
  EXPECT_THAT(lost.message(), HasSubstr("reconnecting (1)"));
  const v1::SourceEvent back = stream->AwaitEvent(Kind::KIND_BACK);
  EXPECT_EQ(back.frame_index(), 1);
  EXPECT_GT(back.outage().seconds() * 1e9 + back.outage().nanos(), 0.7e9);
  const v1::FrameResult first = stream->AwaitResult();
  EXPECT_TRUE(first.discontinuity());
  EXPECT_EQ(first.result().instances_size(), 1);
  const v1::FrameResult second = stream->AwaitResult();
  EXPECT_FALSE(second.discontinuity());
  EXPECT_GT(
      second.start_offset().seconds() * 1e9 + second.start_offset().nanos(),
      first.start_offset().seconds() * 1e9 + first.start_offset().nanos());
  stream->Cancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
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
  const auto stream = Open(camera.UrlOf("/"));
  EXPECT_THAT(stream->AwaitEvent(Kind::KIND_STALLED).message(),
              HasSubstr("stalled"));
  stalled = true;
  EXPECT_EQ(stream->AwaitEvent(Kind::KIND_BACK).frame_index(), 1);
  EXPECT_FALSE(stream->AwaitResult().discontinuity());
  // Silent for good.
  EXPECT_EQ(stream->AwaitEvent(Kind::KIND_STALLED).frame_index(), 2);
  EXPECT_EQ(stream->AwaitEvent(Kind::KIND_RECONNECTING).failure(),
            Kind::FAILURE_TIMEOUT);
  stream->Cancel();
  stream->Finish();
}

TEST_F(LiveRpcTest, WhatIsNotAllowedIsRefused) {
  ScriptedCamera camera({.description = DescribeH264()});
  const auto refused = [&](const std::string& url) {
    const auto stream = Open(url);
    const grpc::Status status = stream->Finish();
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
  const auto stream = Open(web.UrlOf("/none"));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonIn(status), "MEDIA_UNREACHABLE");
  EXPECT_THAT(FieldsIn(status), Contains("config.url"));
  EXPECT_THAT(status.error_message(), HasSubstr("404"));
  EXPECT_EQ(Open("")->Finish().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
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
    const auto stream = Open(camera.UrlOf("/"));
    EXPECT_EQ(stream->AwaitResult().result().instances_size(), 1);
    stream->Cancel();
    stream->Finish();
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
  const auto stream = Open(camera.UrlOf("/"));
  stream->AwaitResult();
  server_->Drain(absl::Now() + absl::Milliseconds(200));
  EXPECT_EQ(ReasonIn(stream->Finish()), "DRAINING");
}

}  // namespace
}  // namespace sam3
