// Messages that no client means to send: thousands of them for every method,
// each refused for what it is, none a fault of the server's.
#include <gmock/gmock.h>

#include <map>

#include "tests/e2e/raw_call.h"
#include "tests/e2e/server_fixture.h"
#include "tests/service/message_breaker.h"

namespace sam3 {
namespace {

using google::protobuf::Message;
using grpc::StatusCode;

constexpr int kCasesPerMethod = 500;

class RpcFuzzTest : public ServerFixture {
 protected:
  // One message at a time, each broken in its turn, in calls of `before` and
  // that message.
  void Attack(const std::string& method,
              const std::vector<const Message*>& good) {
    SCOPED_TRACE(method);
    MessageBreaker breaker(20'240'601);
    std::map<StatusCode, int> answered;
    for (int i = 0; i < kCasesPerMethod; ++i) {
      std::vector<std::string> messages;
      for (const Message* message : good) {
        messages.push_back(message->SerializeAsString());
      }
      std::string& broken = messages[i % messages.size()];
      broken = breaker.Break(*good[i % messages.size()]);
      const grpc::Status status = SendBytes(channel_, method, messages);
      ++answered[status.error_code()];
      if (status.ok()) continue;
      ASSERT_THAT(
          status.error_code(),
          testing::AnyOf(
              StatusCode::INVALID_ARGUMENT, StatusCode::NOT_FOUND,
              StatusCode::RESOURCE_EXHAUSTED, StatusCode::PERMISSION_DENIED,
              StatusCode::FAILED_PRECONDITION, StatusCode::UNIMPLEMENTED))
          << status.error_message() << "\n"
          << testing::PrintToString(broken);
      ASSERT_NE(ReasonIn(status), "") << status.error_message();
      ASSERT_NE(status.error_message(), "");
    }
    // The cases are good ones only if many get through and many do not.
    EXPECT_GT(answered[StatusCode::OK], kCasesPerMethod / 20);
    EXPECT_GT(answered[StatusCode::INVALID_ARGUMENT], kCasesPerMethod / 10);
  }

  static v1::SegmentConceptsRequest Concepts() {
    v1::SegmentConceptsRequest request = RequestFor({"red", "blue"});
    request.set_score_threshold(0.4f);
    request.mutable_nms()->set_iou_threshold(0.9f);
    request.mutable_mask_options()->set_format(v1::MaskOptions::FORMAT_POLYGON);
    auto* box = request.mutable_prompts(0)->add_exemplars()->mutable_box();
    box->mutable_xywh()->set_width(9);
    box->mutable_xywh()->set_height(9);
    return request;
  }

  void TearDown() override {
    grpc::ClientContext context;
    v1::SegmentConceptsResponse response;
    EXPECT_TRUE(
        stub_->SegmentConcepts(&context, RequestFor({"red"}), &response).ok());
    EXPECT_EQ(response.results(0).instances_size(), 1);
  }
};

TEST_F(RpcFuzzTest, Concepts) {
  const v1::SegmentConceptsRequest request = Concepts();
  Attack("SegmentConcepts", {&request});
}

TEST_F(RpcFuzzTest, Explanations) {
  v1::ExplainRequest request;
  *request.mutable_request() = Concepts();
  grpc::ClientContext context;
  Attack("Explain", {&request});
}

TEST_F(RpcFuzzTest, Objects) {
  v1::SegmentObjectsRequest request;
  request.mutable_image()->set_content(Picture());
  auto* point = request.add_prompts()->add_points();
  point->set_x(20);
  point->set_y(12);
  auto* box = request.add_prompts()->mutable_box()->mutable_xyxy();
  box->set_x1(30);
  box->set_y1(20);
  request.set_save_logits(true);
  Attack("SegmentObjects", {&request});
}

TEST_F(RpcFuzzTest, Pictures) {
  v1::EmbedImageRequest request;
  request.mutable_image()->set_content(Picture());
  Attack("EmbedImage", {&request});
}

TEST_F(RpcFuzzTest, Uploads) {
  v1::UploadImageRequest first;
  first.set_data(Picture().substr(0, 50));
  v1::UploadImageRequest second;
  second.set_data(Picture().substr(50));
  Attack("UploadImage", {&first, &second});
}

TEST_F(RpcFuzzTest, Streams) {
  v1::SegmentStreamRequest config;
  config.mutable_config()->mutable_pushed_frames();
  config.mutable_config()->add_prompts()->set_text("red");
  v1::SegmentStreamRequest frame;
  frame.mutable_frame()->set_content(Picture());
  v1::SegmentStreamRequest update;
  update.mutable_prompt_update()->add_add()->set_text("blue");
  Attack("SegmentStream", {&config, &frame, &update});
  config.mutable_config()->clear_prompts();
  v1::GivenObject* object = config.mutable_config()->add_objects();
  object->add_points()->set_x(12);
  update.mutable_prompt_update()->clear_add();
  v1::GivenObject* masked = update.mutable_prompt_update()->add_describe();
  masked->mutable_mask()->set_width_px(128);
  masked->mutable_mask()->set_height_px(64);
  masked->mutable_mask()->mutable_rle()->set_counts("PP8");
  *update.mutable_prompt_update()->add_preview() = *object;
  Attack("SegmentStream", {&config, &frame, &update});
}

}  // namespace
}  // namespace sam3
