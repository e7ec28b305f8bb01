// What validation makes of a request; what it refuses is in tests/e2e.
#include "service/validate.h"

#include <gmock/gmock.h>

#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

class ValidateTest : public testing::Test {
 protected:
  static v1::SegmentConceptsRequest Request() {
    v1::SegmentConceptsRequest request;
    request.mutable_image()->set_content("bytes");
    request.add_prompts()->set_text("red");
    return request;
  }

  const LoadedModel model_ = MakeFakeModel(nullptr);
  const RequestValidator validator_{
      {}, *model_.tokenizer, model_.engine->info(), ""};
};

TEST_F(ValidateTest, OnlyWantedFieldsAreComputed) {
  v1::SegmentConceptsRequest request = Request();
  const auto fields = [&] {
    const auto valid = validator_.ValidateConcepts(request);
    EXPECT_THAT(valid, IsOk());
    return valid->options.fields;
  };
  EXPECT_TRUE(fields().mask && fields().box && fields().area);
  request.mutable_fields()->add_paths("results.instances.box");
  EXPECT_FALSE(fields().mask);
  EXPECT_TRUE(fields().box);
  EXPECT_FALSE(fields().area);
  request.mutable_fields()->add_paths("results.instances.mask.rle");
  EXPECT_TRUE(fields().mask);

  v1::StreamConfig config;
  config.mutable_pushed_frames();
  config.add_prompts()->set_text("red");
  config.mutable_fields()->add_paths("instances.area_px");
  const auto stream = validator_.ValidateStream(config);
  ASSERT_THAT(stream, IsOk());
  EXPECT_FALSE(stream->options.fields.mask);
  EXPECT_TRUE(stream->options.fields.area);
}

TEST_F(ValidateTest, SuppressionIsOffUnlessAskedFor) {
  v1::SegmentConceptsRequest request = Request();
  EXPECT_FALSE(validator_.ValidateConcepts(request)
                   ->options.nms_iou_threshold.has_value());
  request.mutable_nms()->set_iou_threshold(0);
  EXPECT_EQ(validator_.ValidateConcepts(request)->options.nms_iou_threshold,
            0.0f);
}

TEST_F(ValidateTest, AModelIsKnownByNameAndByFingerprint) {
  v1::SegmentConceptsRequest request = Request();
  const EngineInfo& served = model_.engine->info();
  for (const std::string& id :
       {std::string(), served.model_name, served.model_fingerprint}) {
    request.set_model_id(id);
    EXPECT_THAT(validator_.ValidateConcepts(request), IsOk()) << id;
  }
  request.set_model_id("sam2");
  const absl::Status other = validator_.ValidateConcepts(request).status();
  EXPECT_THAT(other, StatusIs(absl::StatusCode::kNotFound, served.model_name));
  EXPECT_EQ(ReasonOf(other), reason::kModelNotFound);
  EXPECT_EQ(FieldOf(other), "model_id");
  // What is wrong with the request itself comes first.
  request.clear_prompts();
  EXPECT_EQ(validator_.ValidateConcepts(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sam3
