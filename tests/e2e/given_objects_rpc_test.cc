// Given objects over a real socket.
#include <gmock/gmock.h>

#include <functional>

#include "tests/e2e/server_fixture.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using testing::UnorderedElementsAre;

class GivenObjectsRpcTest : public ServerFixture {
 protected:
  void Open(const v1::StreamConfig& config) {
    context_ = std::make_unique<grpc::ClientContext>();
    stream_ = stub_->SegmentStream(context_.get());
    v1::SegmentStreamRequest request;
    *request.mutable_config() = config;
    stream_->Write(request);
  }

  static v1::StreamConfig Config() {
    v1::StreamConfig config;
    config.mutable_pushed_frames();
    *config.add_objects() = Clicked(7, 12, 12);
    return config;
  }

  static v1::GivenObject Clicked(int64_t id, float x, float y) {
    v1::GivenObject object;
    object.set_object_id(id);
    v1::Point* point = object.add_points();
    point->set_x(x);
    point->set_y(y);
    return object;
  }

  // The fixture's picture: red from (8, 8) to (40, 24), blue from (8, 40) to
  // (24, 56).
  void SendFrame() {
    v1::SegmentStreamRequest request;
    request.mutable_frame()->set_content(Picture());
    stream_->Write(request);
  }

  void Send(const v1::PromptUpdate& update) {
    v1::SegmentStreamRequest request;
    *request.mutable_prompt_update() = update;
    stream_->Write(request);
  }

  v1::SegmentStreamResponse Await(
      const std::function<bool(const v1::SegmentStreamResponse&)>& wanted) {
    v1::SegmentStreamResponse response;
    while (stream_->Read(&response)) {
      if (wanted(response)) return response;
    }
    ADD_FAILURE() << "the stream has ended";
    return {};
  }
  v1::FrameResult AwaitResult() {
    return Await([](const auto& response) { return response.has_result(); })
        .result();
  }
  v1::ObjectPreview AwaitPreview() {
    return Await([](const auto& response) { return response.has_preview(); })
        .preview();
  }

  grpc::Status Finish() {
    stream_->WritesDone();
    v1::SegmentStreamResponse response;
    while (stream_->Read(&response)) {
      if (response.has_summary()) summary_ = response.summary();
    }
    return stream_->Finish();
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                           v1::SegmentStreamResponse>>
      stream_;
  v1::StreamSummary summary_;
};

TEST_F(GivenObjectsRpcTest, AreFollowedPreviewedCommittedAndDropped) {
  const int64_t grounded = script_->pairs_grounded;
  Open(Config());
  const auto started =
      Await([](const auto& response) { return response.has_started(); });
  EXPECT_EQ(started.started().policy().task(), v1::StreamConfig::TASK_TRACK);
  SendFrame();
  v1::FrameResult result = AwaitResult();
  EXPECT_TRUE(result.last_in_frame());
  EXPECT_EQ(result.result().prompt_id(), "objects");
  ASSERT_EQ(result.object_events_size(), 1);
  EXPECT_EQ(result.object_events(0).object_id(), 7);
  EXPECT_EQ(result.object_events(0).state(), v1::OBJECT_STATE_CONFIRMED);
  ASSERT_EQ(result.result().instances_size(), 1);
  EXPECT_EQ(result.result().instances(0).object_id(), 7);
  EXPECT_EQ(result.result().instances(0).area_px(), 32 * 16);
  EXPECT_FALSE(result.result().instances(0).mask().rle().counts().empty());

  v1::PromptUpdate update;
  *update.add_preview() = Clicked(7, 12, 44);
  *update.add_preview() = Clicked(8, 12, 44);
  Send(update);
  const auto rejected =
      Await([](const auto& response) { return response.has_rejected(); });
  EXPECT_EQ(rejected.rejected().prompt_id(), "8");
  EXPECT_EQ(rejected.rejected().status().code(),
            static_cast<int>(grpc::StatusCode::NOT_FOUND));
  v1::ObjectPreview preview = AwaitPreview();
  EXPECT_EQ(preview.frame_index(), 0);
  EXPECT_FALSE(preview.committed());
  EXPECT_EQ(preview.instance().object_id(), 7);
  EXPECT_EQ(preview.instance().area_px(), 16 * 16);
  SendFrame();
  EXPECT_EQ(AwaitResult().result().instances(0).area_px(), 32 * 16);

  update.Clear();
  *update.add_commit() = Clicked(7, 12, 44);
  Send(update);
  EXPECT_TRUE(AwaitPreview().committed());
  SendFrame();
  EXPECT_EQ(AwaitResult().result().instances(0).area_px(), 16 * 16);

  update.Clear();
  update.add_drop_object_ids(7);
  *update.add_describe() = Clicked(2, 12, 12);
  Send(update);
  SendFrame();
  result = AwaitResult();
  ASSERT_EQ(result.object_events_size(), 2);
  EXPECT_EQ(result.object_events(1).object_id(), 7);
  EXPECT_EQ(result.object_events(1).state(), v1::OBJECT_STATE_ENDED);
  EXPECT_EQ(result.result().instances(0).object_id(), 2);
  EXPECT_TRUE(Finish().ok());
  EXPECT_EQ(summary_.frames_in_count(), 4);
  EXPECT_EQ(summary_.answered_count(), 4);
  EXPECT_EQ(script_->pairs_grounded, grounded);
}

TEST_F(GivenObjectsRpcTest, FieldsAreThoseOfResultsAlsoInPreviews) {
  v1::StreamConfig config = Config();
  config.mutable_fields()->add_paths("instances.box");
  Open(config);
  SendFrame();
  const v1::FrameResult result = AwaitResult();
  EXPECT_TRUE(result.result().prompt_id().empty());
  EXPECT_FALSE(result.result().instances(0).has_object_id());
  v1::PromptUpdate update;
  *update.add_preview() = Clicked(7, 12, 44);
  Send(update);
  const v1::ObjectPreview preview = AwaitPreview();
  EXPECT_EQ(preview.instance().box().xyxy().y0(), 40);
  EXPECT_FALSE(preview.instance().has_mask());
  EXPECT_FALSE(preview.instance().has_object_id());
  EXPECT_TRUE(Finish().ok());
}

TEST_F(GivenObjectsRpcTest, AConfigIsRefusedWithAllViolations) {
  v1::StreamConfig config = Config();
  *config.add_objects() = Clicked(7, 1, 1);
  config.add_objects()->set_object_id(8);
  config.add_prompts()->set_text("red");
  Open(config);
  const grpc::Status status = Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(
      FieldsIn(status),
      UnorderedElementsAre("config.prompts", "config.objects[1].object_id",
                           "config.objects[2]"));
}

TEST_F(GivenObjectsRpcTest, ALostObjectIsToldWithAnEmptyMask) {
  Open(Config());
  SendFrame();
  AwaitResult();
  v1::SegmentStreamRequest empty;
  empty.mutable_frame()->set_content(DrawAreasPng(128, 64, {}));
  stream_->Write(empty);
  const v1::FrameResult result = AwaitResult();
  ASSERT_EQ(result.result().instances_size(), 1);
  const v1::Instance& lost = result.result().instances(0);
  EXPECT_EQ(lost.state(), v1::OBJECT_STATE_LOST);
  EXPECT_EQ(lost.area_px(), 0);
  EXPECT_LT(lost.score(), 0.5);
  EXPECT_EQ(lost.mask().width_px(), 128);
  EXPECT_TRUE(Finish().ok());
}

}  // namespace
}  // namespace sam3
