// SegmentStream over a real socket.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "pipeline/media/video_writer.h"
#include "tests/e2e/server_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

class StreamRpcTest : public ServerFixture {
 protected:
  void OpenCall() {
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->SegmentStream(context_.get());
  }

  static v1::SegmentStreamRequest Config() {
    v1::SegmentStreamRequest request;
    request.mutable_config()->mutable_pushed_frames();
    request.mutable_config()->add_prompts()->set_text("red");
    return request;
  }

  static v1::SegmentStreamRequest Frame(const std::string& content) {
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(content);
    return request;
  }

  // Reads to the end; keeps the summary and counts results.
  grpc::Status ReadToTheEnd() {
    v1::SegmentStreamResponse response;
    while (stream_->Read(&response)) {
      if (response.has_result()) {
        EXPECT_EQ(response.result().frame_index(), results_++);
        instances_ += response.result().result().instances_size();
      }
      if (response.has_refused()) ++refused_;
      if (response.has_source_event()) events_.push_back(response);
      if (response.has_summary()) summary_ = response.summary();
    }
    return stream_->Finish();
  }

  static std::string MakeClip(int frames, int width, int height) {
    const std::string path =
        (std::filesystem::path(testing::TempDir()) / "stream_rpc_clip.mp4")
            .string();
    auto writer = VideoWriter::Create(path, width, height, 25);
    EXPECT_THAT(writer, IsOk());
    for (int i = 0; i < frames; ++i) {
      EXPECT_THAT((*writer)->Write(
                      DrawAreas(width, height, {{"red", 2 * i, 16, 48, 48}})),
                  IsOk());
    }
    EXPECT_THAT((*writer)->Finish(), IsOk());
    std::ifstream stream(path, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(stream), {});
    std::filesystem::remove(path);
    return bytes;
  }

  void SendBytes(const std::string& bytes, size_t chunk_bytes) {
    for (size_t at = 0; at < bytes.size(); at += chunk_bytes) {
      v1::SegmentStreamRequest request;
      request.mutable_chunk()->set_data(bytes.substr(at, chunk_bytes));
      if (!stream_->Write(request)) break;
    }
    stream_->WritesDone();
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
  int results_ = 0;
  int instances_ = 0;
  int refused_ = 0;
  std::vector<v1::SegmentStreamResponse> events_;
  v1::StreamSummary summary_;
};

TEST_F(StreamRpcTest, FollowedObjectsHaveNumbersAndStates) {
  OpenCall();
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->set_task(v1::StreamConfig::TASK_TRACK);
  config.mutable_config()->set_confirmation_delay_frames(2);
  stream_->Write(config);
  for (int i = 0; i < 4; ++i) {
    stream_->Write(Frame(DrawAreasPng(64, 64, {{"red", 8 + i, 8, 16, 16}})));
  }
  stream_->WritesDone();
  std::vector<v1::ObjectState> states;
  std::vector<v1::ObjectState> events;
  v1::SegmentStreamResponse response;
  while (stream_->Read(&response)) {
    if (response.has_started()) {
      EXPECT_EQ(response.started().policy().task(),
                v1::StreamConfig::TASK_TRACK);
      EXPECT_EQ(response.started().policy().confirmation_delay_frames(), 2);
      EXPECT_EQ(response.started().policy().max_objects(), 64);
    }
    if (!response.has_result()) continue;
    for (const auto& event : response.result().object_events()) {
      events.push_back(event.state());
    }
    ASSERT_EQ(response.result().result().instances_size(), 1);
    const v1::Instance& instance = response.result().result().instances(0);
    EXPECT_TRUE(instance.has_object_id());
    EXPECT_EQ(instance.object_id(), 0);
    states.push_back(instance.state());
  }
  EXPECT_TRUE(stream_->Finish().ok());
  EXPECT_THAT(states, testing::ElementsAre(v1::OBJECT_STATE_TENTATIVE,
                                           v1::OBJECT_STATE_TENTATIVE,
                                           v1::OBJECT_STATE_CONFIRMED,
                                           v1::OBJECT_STATE_CONFIRMED));
  EXPECT_THAT(events, testing::ElementsAre(v1::OBJECT_STATE_TENTATIVE,
                                           v1::OBJECT_STATE_CONFIRMED));
}

TEST_F(StreamRpcTest, AModelWithoutMemoryDoesNotFollow) {
  script_->tracks = false;
  StartServer({}, {});
  OpenCall();
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->set_task(v1::StreamConfig::TASK_TRACK);
  stream_->Write(config);
  stream_->WritesDone();
  const grpc::Status status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ReasonIn(status), "NOT_OFFERED");
}

TEST_F(StreamRpcTest, WhatDoesNotGoWithFollowingIsTold) {
  const auto refused = [this](auto change) {
    v1::SegmentStreamRequest config = Config();
    config.mutable_config()->set_task(v1::StreamConfig::TASK_TRACK);
    change(config.mutable_config());
    OpenCall();
    stream_->Write(config);
    stream_->WritesDone();
    return FieldsIn(ReadToTheEnd());
  };
  EXPECT_THAT(
      refused([](auto* c) { c->mutable_nms()->set_iou_threshold(0.5); }),
      testing::ElementsAre("config.nms"));
  EXPECT_THAT(refused([](auto* c) { c->set_max_instances_per_prompt(3); }),
              testing::ElementsAre("config.max_instances_per_prompt"));
  EXPECT_THAT(refused([](auto* c) {
                c->set_confirmation_delay_frames(16);
                c->set_max_objects(257);
              }),
              testing::ElementsAre("config.confirmation_delay_frames",
                                   "config.max_objects"));
}

TEST_F(StreamRpcTest, PushedFramesAreAnsweredInOrderAndSummedUp) {
  OpenCall();
  stream_->Write(Config());
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) stream_->Write(Frame(Picture()));
    stream_->WritesDone();
  });
  const grpc::Status status = ReadToTheEnd();
  writer.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(results_, 40);
  EXPECT_EQ(summary_.frames_in_count(), 40);
  EXPECT_EQ(summary_.answered_count(), 40);
}

TEST_F(StreamRpcTest, AVideoFileIsDecodedWhicheverPartComesFirst) {
  const std::string clip = MakeClip(30, 128, 96);
  for (const size_t chunk : {size_t{700}, clip.size()}) {
    results_ = 0;
    OpenCall();
    v1::SegmentStreamRequest config = Config();
    config.mutable_config()->mutable_pushed_chunks();
    stream_->Write(config);
    std::thread writer([&] { SendBytes(clip, chunk); });
    const grpc::Status status = ReadToTheEnd();
    writer.join();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(summary_.answered_count(), 30);
    EXPECT_EQ(results_, 30);
  }
}

TEST_F(StreamRpcTest, FilesUnderTheMediaRootAreReadAndNoOthers) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "sam3_media_root";
  fs::remove_all(root);
  fs::create_directories(root / "inside");
  const std::string clip = MakeClip(12, 128, 96);
  std::ofstream(root / "inside" / "clip.mp4", std::ios::binary) << clip;
  fs::create_symlink("/etc/hostname", root / "outside.mp4");
  Server::Options options;
  options.media_root = root.string();
  StartServer({}, options);
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->set_file("inside/clip.mp4");
  OpenCall();
  stream_->Write(config);
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.started().width_px(), 128);
  EXPECT_EQ(response.started().height_px(), 96);
  EXPECT_EQ(response.started().frame_rate(), 25);
  const grpc::Status status = ReadToTheEnd();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(summary_.answered_count(), 12);
  for (const std::string name :
       {"outside.mp4", "../sam3_media_root/inside/clip.mp4/..", "none.mp4",
        "/etc/hostname", "inside", ""}) {
    config.mutable_config()->set_file(name);
    OpenCall();
    stream_->Write(config);
    const grpc::Status refused = ReadToTheEnd();
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_THAT(FieldsIn(refused), testing::Contains("config.file")) << name;
  }
  fs::remove_all(root);
}

TEST_F(StreamRpcTest, PushedBytesShowTheirVideoAsSoonAsTheyCan) {
  const std::string clip = MakeClip(3, 128, 96);
  OpenCall();
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->mutable_pushed_chunks();
  stream_->Write(config);
  v1::SegmentStreamResponse response;
  // Before any byte was sent.
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.started().width_px(), 0);
  EXPECT_EQ(response.started().policy().task(), v1::StreamConfig::TASK_DETECT);
  EXPECT_EQ(response.started().policy().mask_options().format(),
            v1::MaskOptions::FORMAT_RLE);
  EXPECT_EQ(response.started().limits().max_prompts(), 16);
  EXPECT_EQ(response.started().limits().max_chunk_size_bytes(), 1 << 20);
  SendBytes(clip, clip.size());
  EXPECT_TRUE(ReadToTheEnd().ok());
  ASSERT_EQ(events_.size(), 2u);
  const v1::SourceEvent& opened = events_[0].source_event();
  EXPECT_EQ(opened.kind(), v1::SourceEvent::KIND_OPENED);
  EXPECT_EQ(opened.frame_index(), 0);
  EXPECT_EQ(opened.width_px(), 128);
  EXPECT_EQ(opened.height_px(), 96);
  EXPECT_EQ(opened.frame_rate(), 25);
  EXPECT_EQ(events_[1].source_event().kind(), v1::SourceEvent::KIND_ENDED);
}

TEST_F(StreamRpcTest, MessagesOutOfOrderEndTheStreamWithTheField) {
  OpenCall();
  stream_->Write(Frame(Picture()));
  grpc::Status status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(FieldsIn(status), testing::ElementsAre("config"));

  OpenCall();
  stream_->Write(Config());
  stream_->Write(Config());
  status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(FieldsIn(status), testing::ElementsAre("config"));

  OpenCall();
  stream_->WritesDone();
  status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  OpenCall();
  stream_->Write(Config());
  stream_->Write({});
  status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamRpcTest, BrokenConfigurationsAreRefusedWhole) {
  const auto refused = [&](const v1::SegmentStreamRequest& config,
                           grpc::StatusCode code, const std::string& field) {
    OpenCall();
    stream_->Write(config);
    const grpc::Status status = ReadToTheEnd();
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(FieldsIn(status), testing::Contains(field))
        << status.error_message();
  };
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->clear_prompts();
  refused(config, kInvalid, "config.prompts");
  config = Config();
  config.mutable_config()->clear_source();
  refused(config, kInvalid, "config");
  config = Config();
  config.mutable_config()->set_url("rtsp://camera");
  refused(config, grpc::StatusCode::PERMISSION_DENIED, "config.url");
  config = Config();
  config.mutable_config()->set_model_id("sam2");
  refused(config, grpc::StatusCode::NOT_FOUND, "config.model_id");
  config = Config();
  config.mutable_config()->mutable_fields()->add_paths("results");
  refused(config, kInvalid, "config.fields.paths[0]");
  config = Config();
  config.mutable_config()->mutable_nms();
  refused(config, kInvalid, "config.nms.iou_threshold");
  config = Config();
  config.mutable_config()->set_score_threshold(2);
  refused(config, kInvalid, "config.score_threshold");
  config = Config();
  config.mutable_config()->set_file("../etc/passwd");
  refused(config, kInvalid, "config.file");
  config = Config();
  config.mutable_config()->set_analyse_fps(-1);
  refused(config, kInvalid, "config.analyse_fps");
  config = Config();
  config.mutable_config()->set_analyse_fps(2);
  config.mutable_config()->set_every_nth_frame(2);
  refused(config, kInvalid, "config.every_nth_frame");
}

TEST_F(StreamRpcTest, OnlyTheFieldsThatAreAskedForComeBack) {
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->mutable_fields()->add_paths("instances.score");
  OpenCall();
  stream_->Write(config);
  stream_->Write(Frame(Picture()));
  stream_->WritesDone();
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  ASSERT_TRUE(stream_->Read(&response));
  EXPECT_EQ(response.result().width_px(), 128);
  EXPECT_TRUE(response.result().last_in_frame());
  const v1::PromptResult& result = response.result().result();
  EXPECT_TRUE(result.prompt_id().empty());
  ASSERT_EQ(result.instances_size(), 1);
  EXPECT_GT(result.instances(0).score(), 0.9f);
  EXPECT_FALSE(result.instances(0).has_mask());
  EXPECT_TRUE(ReadToTheEnd().ok());
}

TEST_F(StreamRpcTest, ChunksThatAreNoVideoEndWithAReason) {
  OpenCall();
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->mutable_pushed_chunks();
  stream_->Write(config);
  SendBytes(std::string(20'000, 'z'), 4096);
  const grpc::Status status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonIn(status), "MEDIA_UNDECODABLE");
}

TEST_F(StreamRpcTest, ATruncatedVideoIsAnsweredAsFarAsItGoes) {
  const std::string clip = MakeClip(40, 128, 96);
  OpenCall();
  v1::SegmentStreamRequest config = Config();
  config.mutable_config()->mutable_pushed_chunks();
  stream_->Write(config);
  // Without its index, which comes last, nothing of an mp4 can be decoded.
  SendBytes(clip.substr(0, clip.size() / 2), 4096);
  const grpc::Status status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(summary_.frames_in_count(), 0);
}

TEST_F(StreamRpcTest, ABrokenFrameIsRefusedAndTheOthersAreNot) {
  OpenCall();
  stream_->Write(Config());
  stream_->Write(Frame("no picture"));
  stream_->WritesDone();
  EXPECT_TRUE(ReadToTheEnd().ok());
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(summary_.refused_count(), 1);
}

TEST_F(StreamRpcTest, AClientThatVanishesFreesItsSlot) {
  script_->CloseGate();
  for (int i = 0; i < 20; ++i) {
    OpenCall();
    stream_->Write(Config());
    stream_->Write(Frame(Picture()));
    v1::SegmentStreamResponse response;
    ASSERT_TRUE(stream_->Read(&response));
    context_->TryCancel();
    stream_->Finish();
  }
  script_->OpenGate();
  while (metrics_.streams_active.value() > 0) std::this_thread::yield();
  EXPECT_EQ(metrics_.streams_opened.value(), 20);
}

TEST_F(StreamRpcTest, ASlowReaderSlowsItsOwnStreamOnly) {
  OpenCall();
  stream_->Write(Config());
  std::atomic<int> written{0};
  std::thread writer([&] {
    while (written < 100'000 && stream_->Write(Frame(Picture()))) ++written;
  });
  // The slow one does not read; another client is served as ever.
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    EXPECT_TRUE(
        stub_->SegmentConcepts(&context, RequestFor({"red"}), &response).ok());
  }
  context_->TryCancel();
  writer.join();
  stream_->Finish();
  EXPECT_LT(written, 100'000);
}

TEST_F(StreamRpcTest, DrainEndsStreamsAfterTheirAnswers) {
  SegmenterOptions segmenter;
  segmenter.drain_notice = absl::ZeroDuration();
  StartServer(segmenter, {});
  OpenCall();
  stream_->Write(Config());
  stream_->Write(Frame(Picture()));
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  while (metrics_.frames_in.value() < 1) std::this_thread::yield();
  std::thread drain([&] { server_->Drain(absl::InfiniteFuture()); });
  const grpc::Status status = ReadToTheEnd();
  drain.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonIn(status), "DRAINING");
  EXPECT_EQ(summary_.answered_count(), 1);
}

TEST_F(StreamRpcTest, OpenStreamsAreToldThatTheServerGoesAwayAndServedOn) {
  SegmenterOptions segmenter;
  segmenter.drain_notice = absl::Hours(1);
  StartServer(segmenter, {});
  OpenCall();
  stream_->Write(Config());
  v1::SegmentStreamResponse response;
  ASSERT_TRUE(stream_->Read(&response));
  std::thread drain([&] { server_->Drain(absl::InfiniteFuture()); });
  ASSERT_TRUE(stream_->Read(&response));
  ASSERT_TRUE(response.has_going_away());
  EXPECT_GT(response.going_away().within().seconds(), 3500);
  stream_->Write(Frame(Picture()));
  stream_->WritesDone();
  EXPECT_TRUE(ReadToTheEnd().ok());
  EXPECT_EQ(summary_.answered_count(), 1);
  drain.join();
}

TEST_F(StreamRpcTest, ACallThatOutlivesTheDrainEndsWithItsReason) {
  SegmenterOptions segmenter;
  segmenter.drain_notice = absl::ZeroDuration();
  StartServer(segmenter, {});
  script_->CloseGate();
  grpc::Status unary;
  std::thread client([&] {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    unary = stub_->SegmentConcepts(&context, RequestFor({"red"}), &response);
  });
  script_->AwaitGateReached();
  OpenCall();
  stream_->Write(Config());
  stream_->Write(Frame(Picture()));
  while (metrics_.frames_in.value() < 1) std::this_thread::yield();
  server_->Drain(absl::Now());
  client.join();
  EXPECT_EQ(unary.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonIn(unary), "DRAINING");
  const grpc::Status status = ReadToTheEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonIn(status), "DRAINING");
  EXPECT_EQ(summary_.frames_in_count(), 1);
}

TEST_F(StreamRpcTest, AServerMayEndWhileItsClientsLeave) {
  for (int round = 0; round < 100; ++round) {
    StartServer({}, {});
    OpenCall();
    stream_->Write(Config());
    v1::SegmentStreamResponse response;
    ASSERT_TRUE(stream_->Read(&response)) << round;
    stream_->Write(Frame(Picture()));
    // Both at once, at several moments of the other.
    std::thread client([&] {
      absl::SleepFor(absl::Microseconds(20 * round));
      stream_.reset();
      context_.reset();
    });
    server_.reset();
    client.join();
  }
}

}  // namespace
}  // namespace sam3
