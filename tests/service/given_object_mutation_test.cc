// Given objects that no client means to send: every one is taken or told apart,
// and what is taken is sound.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "pipeline/error_reason.h"
#include "pipeline/mask_codec.h"
#include "service/convert.h"
#include "service/given_object_reader.h"
#include "tests/service/message_breaker.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using Objects = google::protobuf::RepeatedPtrField<v1::GivenObject>;

constexpr int kRounds = 1500;
constexpr int64_t kMaxMaskPixels = 7000;
constexpr int kMaxPoints = 8;
constexpr int kMaxObjects = 6;

v1::GivenObject Masked(int64_t id, MaskFormat format) {
  MaskOptions options;
  options.format = format;
  v1::GivenObject object;
  object.set_object_id(id);
  *object.mutable_mask() =
      ToProto(*EncodeMask(MaskRuns{50, 40, {90, 20, 130, 60, 1700}}, options));
  return object;
}

Objects GoodObjects() {
  Objects objects;
  // Of which the breaker makes copies, until there are too many pixels.
  *objects.Add() = Masked(2, MaskFormat::kRle);
  v1::GivenObject* pointed = objects.Add();
  pointed->set_object_id(1);
  pointed->add_points()->set_x(5);
  pointed->mutable_box()->mutable_xyxy()->set_x1(30);
  pointed->mutable_box()->mutable_xyxy()->set_y1(20);
  *objects.Add() = Masked(3, MaskFormat::kPng);
  *objects.Add() = Masked(4, MaskFormat::kBits);
  return objects;
}

class GivenObjectMutationTest : public testing::Test {
 protected:
  void DamageMasks(Objects* objects) {
    for (v1::GivenObject& object : *objects) {
      if (!object.has_mask() || mutator_.Below(2) == 0) continue;
      v1::Mask* mask = object.mutable_mask();
      std::string* bytes =
          mask->has_rle()    ? mask->mutable_rle()->mutable_counts()
          : mask->has_png()  ? mask->mutable_png()->mutable_data()
          : mask->has_bits() ? mask->mutable_bits()->mutable_data()
                             : nullptr;
      if (bytes != nullptr) *bytes = mutator_.Mutate(std::move(*bytes));
    }
  }

  // Of one message; counts them.
  void ExpectSound(const std::vector<GivenObject>& objects, int64_t* pixels) {
    for (const GivenObject& object : objects) {
      ++taken_;
      EXPECT_GE(object.object_id, 0);
      EXPECT_LE(object.object_id, 2147483647);
      EXPECT_LE(object.points.size(), static_cast<size_t>(kMaxPoints));
      EXPECT_NE(!object.points.empty() || object.box.has_value(),
                object.mask != nullptr);
      for (const PointedAt& point : object.points) {
        EXPECT_TRUE(std::isfinite(point.x) && std::isfinite(point.y));
      }
      if (object.box.has_value()) {
        EXPECT_LT(object.box->box.x0, object.box->box.x1);
        EXPECT_LT(object.box->box.y0, object.box->box.y1);
      }
      if (object.mask == nullptr) continue;
      ++masks_;
      EXPECT_GT(object.mask->width, 0);
      EXPECT_GT(object.mask->height, 0);
      const int64_t area = int64_t{object.mask->width} * object.mask->height;
      const std::vector<uint32_t>& counts = object.mask->counts;
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}),
                area);
      *pixels += area;
    }
    EXPECT_LE(*pixels, kMaxMaskPixels);
  }

  const ServiceLimits limits_ = {.max_points = kMaxPoints,
                                 .max_objects = kMaxObjects,
                                 .max_mask_pixels = kMaxMaskPixels};
  MessageBreaker breaker_{11};
  ByteMutator mutator_{12, {"0", "PP8", std::string(4, '\0'), "IDAT", "IHDR"}};
  int taken_ = 0;
  int masks_ = 0;
};

TEST_F(GivenObjectMutationTest, AnUpdatesObjectsAreTakenOrRejectedEachAlone) {
  int rejected = 0;
  for (int round = 0; round < kRounds; ++round) {
    v1::PromptUpdate update;
    *update.mutable_describe() = GoodObjects();
    *update.add_preview() = GoodObjects()[1];
    *update.add_commit() = GoodObjects()[1];
    update.add_drop_object_ids(7);
    breaker_.Change(&update);
    DamageMasks(update.mutable_describe());
    SCOPED_TRACE(update.ShortDebugString());
    PromptUpdate out;
    GivenObjectReader(limits_).ReadUpdate(update, &out);
    int64_t pixels = 0;
    int64_t answers = static_cast<int64_t>(out.drop.size());
    for (const auto* list : {&out.describe, &out.preview, &out.commit}) {
      ExpectSound(*list, &pixels);
      answers += static_cast<int64_t>(list->size());
    }
    for (const PromptRejected& rejection : out.rejected) {
      EXPECT_EQ(rejection.status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(ReasonOf(rejection.status), reason::kInvalidRequest);
      EXPECT_NE(rejection.prompt_id, "");
    }
    rejected += static_cast<int>(out.rejected.size());
    // What is beyond a list's bound gets one answer.
    int64_t asked = 0;
    for (const int size :
         {update.describe_size(), update.preview_size(), update.commit_size(),
          update.drop_object_ids_size()}) {
      asked += std::min(size, kMaxObjects + 1);
    }
    EXPECT_EQ(answers + static_cast<int64_t>(out.rejected.size()), asked);
    ASSERT_FALSE(HasFailure());
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(masks_, kRounds);
  EXPECT_GT(rejected, kRounds / 2);
}

TEST_F(GivenObjectMutationTest, AStreamsObjectsAreTakenOrViolate) {
  int whole = 0;
  for (int round = 0; round < kRounds; ++round) {
    v1::StreamConfig config;
    *config.mutable_objects() = GoodObjects();
    breaker_.Change(config.mutable_objects(round % 4));
    if (round % 2 == 0) DamageMasks(config.mutable_objects());
    SCOPED_TRACE(config.ShortDebugString());
    std::set<std::string> fields;
    const std::vector<GivenObject> objects = GivenObjectReader(limits_).ReadAll(
        "o", config.objects(), [&fields](std::string field, std::string what) {
          EXPECT_NE(what, "");
          fields.insert(std::move(field));
        });
    for (const std::string& field : fields) {
      EXPECT_EQ(field.rfind("o[", 0), 0u) << field;
    }
    if (fields.empty()) {
      ++whole;
      EXPECT_EQ(objects.size(), 4u);
      int64_t pixels = 0;
      ExpectSound(objects, &pixels);
      std::set<int64_t> ids;
      for (const GivenObject& object : objects) ids.insert(object.object_id);
      EXPECT_EQ(ids.size(), objects.size());
    }
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(whole, kRounds / 20);
  EXPECT_LT(whole, kRounds * 19 / 20);
}

}  // namespace
}  // namespace sam3
