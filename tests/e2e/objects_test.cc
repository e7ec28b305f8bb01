// SegmentObjects over a real socket.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/e2e/server_fixture.h"

namespace sam3 {
namespace {

using testing::UnorderedElementsAre;

class ObjectsTest : public ServerFixture {
 protected:
  // A click on the red area.
  static v1::SegmentObjectsRequest Click(float x = 20, float y = 12) {
    v1::SegmentObjectsRequest request;
    request.mutable_image()->set_content(Picture());
    v1::Point* point = request.add_prompts()->add_points();
    point->set_x(x);
    point->set_y(y);
    return request;
  }
  grpc::Status Segment(const v1::SegmentObjectsRequest& request) {
    grpc::ClientContext context;
    return stub_->SegmentObjects(&context, request, &response_);
  }
  v1::SegmentObjectsResponse response_;
};

TEST_F(ObjectsTest, AClickMasksWhatIsUnderIt) {
  ASSERT_TRUE(Segment(Click()).ok());
  ASSERT_EQ(response_.results_size(), 1);
  ASSERT_EQ(response_.results(0).masks_size(), 1);
  const v1::ObjectMask& mask = response_.results(0).masks(0);
  EXPECT_EQ(mask.box().xyxy().x0(), 8);
  EXPECT_EQ(mask.area_px(), 32 * 16);
  EXPECT_EQ(mask.stability(), 1);
  EXPECT_FALSE(mask.mask().rle().counts().empty());
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_MISS);
  EXPECT_GT(response_.timings().total().nanos(), 0);
  // The next one needs the digest alone.
  v1::SegmentObjectsRequest next = Click(30, 14);
  next.mutable_image()->clear_content();
  next.mutable_image()->set_image_id(response_.image_info().digest());
  ASSERT_TRUE(Segment(next).ok());
  EXPECT_EQ(response_.embedding_cache(), v1::EMBEDDING_CACHE_HIT);
}

TEST_F(ObjectsTest, LogitsComeBackAsNumbersAndAsAHandle) {
  v1::SegmentObjectsRequest request = Click();
  request.set_save_logits(true);
  request.mutable_mask_options()->set_format(v1::MaskOptions::FORMAT_LOGITS);
  ASSERT_TRUE(Segment(request).ok());
  const v1::Mask& mask = response_.results(0).masks(0).mask();
  ASSERT_EQ(mask.logits().data().size(),
            sizeof(float) * mask.width_px() * mask.height_px());
  std::vector<float> values(mask.logits().data().size() / sizeof(float));
  std::memcpy(values.data(), mask.logits().data().data(),
              mask.logits().data().size());
  EXPECT_EQ(std::count_if(values.begin(), values.end(),
                          [](float value) { return value > 0; }),
            32 * 16);
  request.mutable_prompts(0)->set_logits_handle(
      response_.results(0).masks(0).logits_handle());
  ASSERT_TRUE(Segment(request).ok());
  EXPECT_TRUE(response_.results(0).refined());
  request.mutable_prompts(0)->set_logits_handle("gone");
  const grpc::Status gone = Segment(request);
  EXPECT_EQ(gone.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonIn(gone), "LOGITS_NOT_CACHED");
}

TEST_F(ObjectsTest, AllViolationsComeAtOnce) {
  v1::SegmentObjectsRequest request = Click();
  request.mutable_prompts(0)->mutable_points(0)->set_x(
      std::numeric_limits<float>::quiet_NaN());
  request.add_prompts();  // points at nothing
  v1::ObjectPrompt* odd = request.add_prompts();
  odd->mutable_box()->mutable_xywh()->set_width(-5);
  odd->add_points()->set_label(static_cast<v1::Point::Label>(9));
  for (int i = 0; i < 65; ++i) request.add_prompts()->add_points();
  for (int i = 0; i < 64; ++i) request.mutable_prompts(3)->add_points();
  while (request.prompts_size() > 4) request.mutable_prompts()->RemoveLast();
  request.mutable_image()->clear_content();
  request.mutable_fields()->add_paths("results.instances");
  const grpc::Status status = Segment(request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(
      FieldsIn(status),
      UnorderedElementsAre("image", "prompts[0].points[0]", "prompts[1]",
                           "prompts[2].box", "prompts[2].points[0].label",
                           "prompts[3].points", "fields.paths[0]"));
}

TEST_F(ObjectsTest, OnlyTheFieldsThatAreAskedForComeBack) {
  v1::SegmentObjectsRequest request = Click();
  request.mutable_fields()->add_paths("results.masks.box");
  ASSERT_TRUE(Segment(request).ok());
  const v1::ObjectMask& mask = response_.results(0).masks(0);
  EXPECT_EQ(mask.box().xyxy().x1(), 40);
  EXPECT_FALSE(mask.has_mask());
  EXPECT_EQ(mask.area_px(), 0);
  EXPECT_FALSE(response_.has_image_info());
}

TEST_F(ObjectsTest, ServerInfoTellsWhetherClicksAreTaken) {
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(stub_->GetServerInfo(&context, {}, &info).ok());
  EXPECT_TRUE(info.model().takes_clicks());
  EXPECT_EQ(info.limits().max_points(), 64);
}

}  // namespace
}  // namespace sam3
