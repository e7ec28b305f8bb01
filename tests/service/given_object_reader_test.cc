// What validation makes of given objects, in the config and in updates.
#include "service/given_object_reader.h"

#include <gmock/gmock.h>

#include <limits>

#include "google/rpc/error_details.pb.h"
#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/mask_codec.h"
#include "service/convert.h"
#include "service/validate.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

v1::GivenObject Clicked(int64_t id) {
  v1::GivenObject object;
  object.set_object_id(id);
  object.add_points()->set_x(5);
  return object;
}

v1::StreamConfig Config() {
  v1::StreamConfig config;
  config.mutable_pushed_frames();
  *config.add_objects() = Clicked(3);
  return config;
}

// A diagonal on 5 x 4 pixels, in any format.
v1::Mask Diagonal(MaskFormat format) {
  const MaskRuns runs{5, 4, {0, 1, 4, 1, 4, 1, 4, 1, 4}};
  MaskOptions options;
  options.format = format;
  return ToProto(*EncodeMask(runs, options));
}

class GivenObjectReaderTest : public testing::Test {
 protected:
  RequestValidator Validator(const ServiceLimits& limits = {}) const {
    return {limits, *model_.tokenizer, model_.engine->info(), ""};
  }

  // Fields that a config is refused for; empty when it is not.
  std::vector<std::string> Violations(const v1::StreamConfig& config,
                                      const ServiceLimits& limits = {}) const {
    std::vector<std::string> fields;
    const absl::Status status =
        Validator(limits).ValidateStream(config).status();
    if (status.ok()) return fields;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    google::rpc::BadRequest told;
    EXPECT_TRUE(told.ParseFromString(
        std::string(*status.GetPayload("sam3/violations"))));
    for (const auto& violation : told.field_violations()) {
      fields.push_back(violation.field());
    }
    return fields;
  }

  const LoadedModel model_ = MakeFakeModel(nullptr);
};

TEST_F(GivenObjectReaderTest, AStreamOfObjectsTracks) {
  v1::StreamConfig config = Config();
  v1::GivenObject* boxed = config.add_objects();
  boxed->mutable_box()->mutable_xywh()->set_width(4);
  boxed->mutable_box()->mutable_xywh()->set_height(3);
  boxed->add_points()->set_label(v1::Point::LABEL_NEGATIVE);
  const auto stream = Validator().ValidateStream(config);
  ASSERT_THAT(stream, IsOk());
  EXPECT_TRUE(stream->track.has_value());
  EXPECT_EQ(stream->track->max_objects, 64);
  ASSERT_THAT(stream->objects, SizeIs(2));
  EXPECT_EQ(stream->objects[0].object_id, 3);
  EXPECT_EQ(stream->objects[0].points[0].x, 5);
  EXPECT_EQ(stream->objects[1].box->box, (Box{0, 0, 4, 3}));
  EXPECT_EQ(stream->objects[1].points[0].label, ClickLabel::kNegative);
}

TEST_F(GivenObjectReaderTest, MasksOfThreeFormatsAreRead) {
  for (const auto format :
       {MaskFormat::kRle, MaskFormat::kPng, MaskFormat::kBits}) {
    v1::StreamConfig config;
    config.mutable_pushed_frames();
    *config.add_objects()->mutable_mask() = Diagonal(format);
    const auto stream = Validator().ValidateStream(config);
    ASSERT_THAT(stream, IsOk());
    const GivenMask& mask = *stream->objects[0].mask;
    EXPECT_EQ(mask.width, 5);
    EXPECT_EQ(mask.height, 4);
    EXPECT_THAT(mask.counts, ElementsAre(0, 1, 4, 1, 4, 1, 4, 1, 4));
  }
}

TEST_F(GivenObjectReaderTest, AllViolationsAreTold) {
  v1::StreamConfig config = Config();
  config.add_prompts()->set_text("red");
  config.set_task(v1::StreamConfig::TASK_DETECT);
  config.set_score_threshold(0.5);
  config.mutable_nms()->set_iou_threshold(0.5);
  config.set_max_instances_per_prompt(1);
  config.set_confirmation_delay_frames(2);
  config.set_max_objects(5);
  *config.add_objects() = Clicked(3);
  *config.add_objects() = Clicked(-1);
  *config.add_objects() = Clicked(int64_t{1} << 31);
  config.add_objects()->set_object_id(4);
  v1::GivenObject* both = config.add_objects();
  *both = Clicked(5);
  both->mutable_box();
  both->mutable_points(0)->set_x(std::numeric_limits<float>::infinity());
  *both->mutable_mask() = Diagonal(MaskFormat::kPolygon);
  EXPECT_THAT(Violations(config),
              UnorderedElementsAre(
                  "config.prompts", "config.task", "config.score_threshold",
                  "config.nms", "config.max_instances_per_prompt",
                  "config.confirmation_delay_frames", "config.objects",
                  "config.objects[1].object_id", "config.objects[2].object_id",
                  "config.objects[3].object_id", "config.objects[4]",
                  "config.objects[5].mask", "config.objects[5].points[0]",
                  "config.objects[5].box", "config.objects[5].mask"));
}

TEST_F(GivenObjectReaderTest, NeitherPromptsNorObjectsIsNothing) {
  v1::StreamConfig config;
  config.mutable_pushed_frames();
  EXPECT_THAT(Violations(config), ElementsAre("config.prompts"));
}

TEST_F(GivenObjectReaderTest, TooManyObjectsAreNotLookedAt) {
  v1::StreamConfig config = Config();
  for (int i = 0; i < 256; ++i) config.add_objects();
  EXPECT_THAT(Violations(config), ElementsAre("config.objects"));
}

TEST_F(GivenObjectReaderTest, MasksThatCannotBe) {
  const auto refused = [this](const v1::Mask& mask,
                              const ServiceLimits& limits = {}) {
    v1::StreamConfig config;
    config.mutable_pushed_frames();
    *config.add_objects()->mutable_mask() = mask;
    EXPECT_THAT(Violations(config, limits),
                ElementsAre("config.objects[0].mask"));
    return std::string(
        Validator(limits).ValidateStream(config).status().message());
  };
  v1::Mask rle = Diagonal(MaskFormat::kRle);
  rle.set_width_px(6);
  EXPECT_THAT(refused(rle), HasSubstr("covers 20 pixels of a mask of 24"));
  rle.set_width_px(0);
  EXPECT_THAT(refused(rle), HasSubstr("needs width_px and height_px"));
  rle.set_width_px(1 << 30);
  rle.set_height_px(1 << 30);
  EXPECT_THAT(refused(rle), HasSubstr("at most 33000000"));
  v1::Mask bits = Diagonal(MaskFormat::kBits);
  bits.mutable_bits()->set_crop_width(7);
  EXPECT_THAT(refused(bits), HasSubstr("lies outside"));
  bits = Diagonal(MaskFormat::kBits);
  bits.mutable_bits()->mutable_data()->push_back(' ');
  EXPECT_THAT(refused(bits), HasSubstr("the crop needs"));
  v1::Mask png = Diagonal(MaskFormat::kPng);
  png.set_height_px(5);
  EXPECT_THAT(refused(png), HasSubstr("is a PNG of 5 x 4"));
  png.set_height_px(4);
  png.mutable_png()->mutable_data()->resize(40);
  EXPECT_FALSE(refused(png).empty());
  png.mutable_png()->set_data("GIF89a");
  EXPECT_FALSE(refused(png).empty());
  EXPECT_THAT(refused(v1::Mask()), HasSubstr("must be rle, png or bits"));
  // Of all masks of a message together.
  v1::StreamConfig two;
  two.mutable_pushed_frames();
  for (int i = 0; i < 2; ++i) {
    two.add_objects()->set_object_id(i);
    *two.mutable_objects(i)->mutable_mask() = Diagonal(MaskFormat::kRle);
  }
  EXPECT_THAT(Violations(two), IsEmpty());
  EXPECT_THAT(Violations(two, {.max_mask_pixels = 39}),
              ElementsAre("config.objects[1].mask"));
}

TEST_F(GivenObjectReaderTest, ModelsWithoutAMemoryDoNotOfferIt) {
  const auto script = std::make_shared<FakeEngineScript>();
  script->tracks = false;
  const LoadedModel model = MakeFakeModel(script);
  const RequestValidator validator({}, *model.tokenizer, model.engine->info(),
                                   "");
  const absl::Status status = validator.ValidateStream(Config()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ReasonOf(status), reason::kNotOffered);
  EXPECT_EQ(FieldOf(status), "config.objects");
}

TEST_F(GivenObjectReaderTest, OfAnUpdateWhatIsRightIsTaken) {
  v1::PromptUpdate update;
  *update.add_describe() = Clicked(1);
  update.add_describe()->set_object_id(2);
  *update.add_preview() = Clicked(-7);
  *update.add_preview() = Clicked(3);
  *update.add_commit() = Clicked(4);
  *update.add_commit() = Clicked(5);
  update.mutable_commit(1)->mutable_box();
  update.add_drop_object_ids(6);
  const PromptUpdate out = Validator().ValidateUpdate(update);
  ASSERT_THAT(out.describe, SizeIs(1));
  EXPECT_EQ(out.describe[0].object_id, 1);
  ASSERT_THAT(out.preview, SizeIs(1));
  EXPECT_EQ(out.preview[0].object_id, 3);
  ASSERT_THAT(out.commit, SizeIs(1));
  EXPECT_EQ(out.commit[0].object_id, 4);
  EXPECT_THAT(out.drop, ElementsAre(6));
  ASSERT_THAT(out.rejected, SizeIs(3));
  EXPECT_EQ(out.rejected[0].prompt_id, "2");
  EXPECT_THAT(out.rejected[0].status,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "prompt_update.describe[1]"));
  EXPECT_EQ(out.rejected[1].prompt_id, "-7");
  EXPECT_EQ(out.rejected[2].prompt_id, "5");
}

TEST_F(GivenObjectReaderTest, ListsOfAnUpdateAreBounded) {
  v1::PromptUpdate update;
  for (int i = 0; i < 300; ++i) {
    *update.add_describe() = Clicked(i);
    update.add_drop_object_ids(i);
  }
  const PromptUpdate out = Validator().ValidateUpdate(update);
  EXPECT_THAT(out.describe, SizeIs(256));
  EXPECT_THAT(out.drop, SizeIs(256));
  ASSERT_THAT(out.rejected, SizeIs(2));
  EXPECT_EQ(out.rejected[0].prompt_id, "256");
  EXPECT_THAT(
      out.rejected[1].status,
      StatusIs(absl::StatusCode::kInvalidArgument, "the first 256 are taken"));
}

}  // namespace
}  // namespace sam3
