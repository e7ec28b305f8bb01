// Clicks and boxes through the whole pipeline on the fake engine, and the
// logits that are kept between them.
#include <gmock/gmock.h>

#include <optional>

#include "absl/synchronization/notification.h"
#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/logits_cache.h"
#include "pipeline/segmenter.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using testing::SizeIs;

// Two red areas and a blue one on 128 x 64.
const std::string& Areas() {
  static const std::string kPng = DrawAreasPng(128, 64,
                                               {{"red", 8, 8, 32, 16},
                                                {"red", 80, 24, 16, 16},
                                                {"blue", 8, 40, 16, 16}});
  return kPng;
}

PointedObject At(std::vector<PointedAt> points) {
  PointedObject object;
  object.points = std::move(points);
  return object;
}

class ObjectTest : public testing::Test {
 protected:
  ObjectTest() { Make({}); }

  void Make(const SegmenterOptions& options) {
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
  }

  static ObjectRequest RequestFor(std::vector<PointedObject> prompts) {
    ObjectRequest request;
    request.image.content = Areas();
    request.prompts = std::move(prompts);
    return request;
  }

  absl::StatusOr<ObjectResponse> Run(ObjectRequest request,
                                     const std::string& tenant = "tenant") {
    absl::Notification done;
    absl::StatusOr<ObjectResponse> answer = absl::UnknownError("none");
    segmenter_->SegmentObjects(
        std::move(request),
        std::make_shared<RequestContext>("id", tenant, absl::InfiniteFuture()),
        [&](absl::StatusOr<ObjectResponse> response) {
          answer = std::move(response);
          done.Notify();
        });
    done.WaitForNotification();
    return answer;
  }

  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  std::unique_ptr<Segmenter> segmenter_;
};

TEST_F(ObjectTest, EveryPromptIsAnsweredOnItsOwn) {
  PointedObject boxed;
  boxed.prompt_id = "blue";
  boxed.box = {{8, 40, 24, 56}, false};
  const auto response = Run(RequestFor(
      {At({{20, 12}}), At({{0.7f, 0.5f, true}}), boxed, At({{60, 5}})}));
  ASSERT_THAT(response, IsOk());
  ASSERT_THAT(response->results, SizeIs(4));
  const auto& first = response->results[0];
  ASSERT_THAT(first.masks, SizeIs(1));
  EXPECT_EQ(first.masks[0].box, (Box{8, 8, 40, 24}));
  EXPECT_EQ(first.masks[0].area, 32 * 16);
  EXPECT_FLOAT_EQ(first.masks[0].predicted_iou, 0.9f);
  EXPECT_GT(first.object_score, 0.9f);
  EXPECT_EQ(std::get<RleMask>(first.masks[0].mask).width, 128);
  EXPECT_EQ(response->results[1].masks[0].box, (Box{80, 24, 96, 40}));
  EXPECT_EQ(response->results[2].masks[0].box, (Box{8, 40, 24, 56}));
  EXPECT_EQ(response->results[2].prompt_id, "blue");
  EXPECT_EQ(response->results[2].prompt_index, 2);
  // Nothing is there.
  EXPECT_LT(response->results[3].object_score, 0.1f);
  EXPECT_EQ(response->results[3].masks[0].area, 0);
  EXPECT_EQ(response->image.width, 128);
  EXPECT_FALSE(response->results[0].refined);
}

TEST_F(ObjectTest, AllCandidatesComeBestFirst) {
  ObjectRequest request = RequestFor({At({{20, 12}})});
  request.options.return_all_candidates = true;
  const auto several = Run(request);
  ASSERT_THAT(several, IsOk());
  ASSERT_THAT(several->results[0].masks, SizeIs(3));
  EXPECT_GT(several->results[0].masks[0].predicted_iou,
            several->results[0].masks[1].predicted_iou);
  // Both red areas, then the whole picture.
  EXPECT_EQ(several->results[0].masks[1].box, (Box{8, 8, 96, 40}));
  EXPECT_EQ(several->results[0].masks[2].area, 128 * 64);
  request.options.multimask = false;
  EXPECT_THAT(Run(request)->results[0].masks, SizeIs(1));
}

TEST_F(ObjectTest, ConceptsAndClicksShareOneEmbedding) {
  absl::Notification done;
  ConceptRequest concept_request;
  concept_request.image.content = Areas();
  concept_request.image.image_id = "shelf";
  ConceptPrompt prompt;
  prompt.text = "red";
  prompt.tokens = *segmenter_->tokenizer().Tokenize("red");
  concept_request.prompts = {prompt};
  segmenter_->SegmentConcepts(
      concept_request,
      std::make_shared<RequestContext>("id", "tenant", absl::InfiniteFuture()),
      [&](const absl::StatusOr<ConceptResponse>&) { done.Notify(); });
  done.WaitForNotification();
  EXPECT_EQ(script_->images_encoded, 1 + 2 * 1);  // warm-up, twice
  ObjectRequest click = RequestFor({At({{20, 12}})});
  click.image.content.clear();
  click.image.image_id = "shelf";
  const auto response = Run(click);
  ASSERT_THAT(response, IsOk());
  EXPECT_TRUE(response->embedding_cache_hit);
  EXPECT_EQ(script_->images_encoded, 1 + 2 * 1);
}

TEST_F(ObjectTest, APointOrBoxOutsideThePictureIsRefusedByName) {
  const auto point = Run(RequestFor({At({{5, 5}}), At({{5, 5}, {128.5f, 3}})}));
  EXPECT_THAT(point, StatusIs(absl::StatusCode::kInvalidArgument, "128 x 64"));
  EXPECT_EQ(FieldOf(point.status()), "prompts[1].points[1]");
  PointedObject boxed;
  boxed.box = {{200, 5, 210, 9}, false};
  EXPECT_EQ(FieldOf(Run(RequestFor({boxed})).status()), "prompts[0].box");
  // The border belongs to the picture; a box beyond it is cut.
  EXPECT_THAT(Run(RequestFor({At({{128, 64}})})), IsOk());
  boxed.box = {{100, 5, 210, 9}, false};
  EXPECT_THAT(Run(RequestFor({boxed}))->warnings, SizeIs(1));
}

TEST_F(ObjectTest, AHandleRefinesItsOwnPictureAndTenantOnly) {
  ObjectRequest request = RequestFor({At({{20, 12}})});
  EXPECT_EQ(Run(request)->results[0].masks[0].logits_handle, "");
  request.options.save_logits = true;
  const std::string handle = Run(request)->results[0].masks[0].logits_handle;
  EXPECT_THAT(handle, SizeIs(32));
  EXPECT_GT(metrics_.logits_cache_bytes.value(), 64 * 64 * 4);

  request.prompts[0].logits_handle = handle;
  const auto refined = Run(request);
  ASSERT_THAT(refined, IsOk());
  EXPECT_TRUE(refined->results[0].refined);
  EXPECT_FLOAT_EQ(refined->results[0].masks[0].predicted_iou, 0.95f);
  EXPECT_EQ(script_->objects_refined, 1);

  const auto stranger = Run(request, "somebody else");
  EXPECT_THAT(stranger, StatusIs(absl::StatusCode::kNotFound, "handle"));
  EXPECT_EQ(ReasonOf(stranger.status()), reason::kLogitsNotCached);
  EXPECT_EQ(FieldOf(stranger.status()), "prompts[0].logits_handle");
  request.image.content = DrawAreasPng(128, 64, {});
  EXPECT_THAT(Run(request), StatusIs(absl::StatusCode::kNotFound, "picture"));
}

TEST_F(ObjectTest, FurtherClicksFindTheEarlierOnes) {
  ObjectRequest request = RequestFor({At({{20, 12}})});
  request.options.save_logits = true;
  request.options.load_logits = true;
  EXPECT_FALSE(Run(request)->results[0].refined);
  // The same again goes beyond nothing.
  EXPECT_FALSE(Run(request)->results[0].refined);
  request.prompts[0].points.push_back({30, 12});
  EXPECT_TRUE(Run(request)->results[0].refined);
  request.options.load_logits = false;
  EXPECT_FALSE(Run(request)->results[0].refined);
}

TEST_F(ObjectTest, AModelWithoutTheHeadSaysSo) {
  script_->takes_clicks = false;
  Make({});
  const auto response = Run(RequestFor({At({{20, 12}})}));
  EXPECT_THAT(response,
              StatusIs(absl::StatusCode::kUnimplemented, "takes no clicks"));
  EXPECT_EQ(ReasonOf(response.status()), reason::kNotOffered);
}

// Logits that can be told apart.
LowResMask Marked(float value) {
  return {2, 2, std::vector<float>(4, value), 0.0f};
}

TEST(LogitsCacheTest, TheNearestEarlierPromptCounts) {
  PipelineMetrics metrics;
  LogitsCache cache(1 << 20, metrics);
  const Click a{0.1f, 0.1f};
  const Click b{0.2f, 0.2f};
  const Click c{0.3f, 0.3f, ClickLabel::kNegative};
  const Box box{0, 0, 0.5f, 0.5f};
  const auto keep = [&](const ObjectPrompt& prompt, float mark,
                        bool best = true) {
    return cache.Insert("t", "picture", prompt, best, Marked(mark));
  };
  const auto found = [&](const ObjectPrompt& prompt,
                         const std::string& tenant = "t",
                         const std::string& picture = "picture") {
    const auto logits = cache.FindEarlier(tenant, picture, prompt);
    return logits == nullptr ? 0.0f : logits->values[0];
  };
  keep({{a}, {}}, 1);
  keep({{b}, {}}, 2);
  keep({{a, b}, {}}, 3);
  keep({{a, b}, {}}, 4, /*best=*/false);
  keep({{}, box}, 5);
  EXPECT_EQ(found({{a, c}, {}}), 1);
  EXPECT_EQ(found({{c, b, a}, {}}), 3);  // most clicks, in any order
  keep({{b}, {}}, 6);
  EXPECT_EQ(found({{b, c}, {}}), 6);  // of equals the newest
  EXPECT_EQ(found({{a}, {}}), 0);
  EXPECT_EQ(found({{c}, {}}), 0);
  EXPECT_EQ(found({{a, a}, {}}), 1);
  EXPECT_EQ(found({{c}, box}), 5);  // the same box, one click more
  EXPECT_EQ(found({{a, c}, box}), 5);
  // A click with another label is another click.
  EXPECT_EQ(found({{Click{0.1f, 0.1f, ClickLabel::kNegative}, c}, {}}), 0);
  EXPECT_EQ(found({{a, c}, {}}, "u"), 0);
  EXPECT_EQ(found({{a, c}, {}}, "t", "other"), 0);
}

TEST(LogitsCacheTest, TheOldestLeavesWhenTheBytesAreUsedUp) {
  PipelineMetrics metrics;
  LogitsCache cache(2000, metrics);
  const auto keep = [&](float x) {
    return cache.Insert("t", "picture", {{Click{x, x}}, {}}, true,
                        {10, 10, std::vector<float>(100, x), 0.0f});
  };
  const std::string first = keep(0.1f);
  ASSERT_NE(cache.Find("t", "picture", first), nullptr);
  for (const float x : {0.2f, 0.3f, 0.4f, 0.5f}) keep(x);
  EXPECT_EQ(cache.Find("t", "picture", first), nullptr);
  EXPECT_GT(metrics.logits_cache_evictions.value(), 0);
  EXPECT_LE(metrics.logits_cache_bytes.value(), 2000);
  EXPECT_EQ(cache.FindEarlier("t", "picture", {{{0.1f, 0.1f}, {0, 0}}, {}}),
            nullptr);
  LogitsCache none(0, metrics);
  const std::string dropped =
      none.Insert("t", "p", {{{0.1f, 0.1f}}, {}}, true, Marked(1));
  EXPECT_EQ(none.Find("t", "p", dropped), nullptr);
}

}  // namespace
}  // namespace sam3
