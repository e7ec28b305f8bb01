// The whole pipeline on the fake engine, in process.
#include "pipeline/segmenter.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/synchronization/notification.h"
#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

class SegmenterTest : public testing::Test {
 protected:
  void Make(SegmenterOptions options = {}) {
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
  }

  ConceptPrompt Prompt(const std::string& text) {
    ConceptPrompt prompt;
    prompt.text = text;
    prompt.tokens = *segmenter_->tokenizer().Tokenize(text);
    return prompt;
  }

  ConceptRequest RequestFor(const std::string& png,
                            const std::vector<std::string>& texts) {
    ConceptRequest request;
    request.image.content = png;
    for (const std::string& text : texts) {
      request.prompts.push_back(Prompt(text));
    }
    return request;
  }

  static std::shared_ptr<RequestContext> Context(
      absl::Time deadline = absl::InfiniteFuture()) {
    return std::make_shared<RequestContext>("id", "tenant", deadline);
  }

  // An answer that is on its way.
  struct Call {
    absl::Notification done;
    absl::StatusOr<ConceptResponse> response = absl::UnknownError("none");
  };
  std::shared_ptr<Call> Start(ConceptRequest request,
                              std::shared_ptr<RequestContext> context) {
    auto call = std::make_shared<Call>();
    segmenter_->SegmentConcepts(
        std::move(request), std::move(context),
        [call](absl::StatusOr<ConceptResponse> response) {
          call->response = std::move(response);
          call->done.Notify();
        });
    return call;
  }
  absl::StatusOr<ConceptResponse> Run(ConceptRequest request) {
    const auto call = Start(std::move(request), Context());
    call->done.WaitForNotification();
    return call->response;
  }

  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  std::unique_ptr<Segmenter> segmenter_;
};

const std::string& TwoReds() {
  static const std::string kPng = DrawAreasPng(128, 64,
                                               {{"red", 8, 8, 32, 16},
                                                {"red", 80, 24, 16, 16},
                                                {"blue", 8, 40, 16, 16}});
  return kPng;
}

TEST_F(SegmenterTest, FindsEveryInstanceOfEveryPrompt) {
  Make();
  const auto response = Run(RequestFor(TwoReds(), {"red", "blue", "cat"}));
  ASSERT_THAT(response, IsOk());
  ASSERT_EQ(response->results.size(), 3u);
  ASSERT_EQ(response->results[0].instances.size(), 2u);
  const Instance& largest = response->results[0].instances[0];
  EXPECT_EQ(largest.box.x0, 8);
  EXPECT_EQ(largest.box.x1, 40);
  EXPECT_EQ(largest.area, 32 * 16);
  EXPECT_EQ(std::get<RleMask>(largest.mask).width, 128);
  EXPECT_EQ(response->results[1].instances.size(), 1u);
  EXPECT_TRUE(response->results[2].instances.empty());
  EXPECT_EQ(response->image.width, 128);
}

TEST_F(SegmenterTest, ASecondRequestOnAPictureNeedsNoEncoding) {
  Make();
  EXPECT_FALSE(Run(RequestFor(TwoReds(), {"red"}))->embedding_cache_hit);
  const int64_t encoded = script_->images_encoded;
  EXPECT_TRUE(Run(RequestFor(TwoReds(), {"blue"}))->embedding_cache_hit);
  EXPECT_EQ(script_->images_encoded, encoded);
}

TEST_F(SegmenterTest, ANameStandsForItsPicture) {
  Make();
  ConceptRequest first = RequestFor(TwoReds(), {"red"});
  first.image.image_id = "shelf";
  ASSERT_THAT(Run(first), IsOk());
  ConceptRequest by_name = RequestFor("", {"blue"});
  by_name.image.image_id = "shelf";
  const auto response = Run(by_name);
  ASSERT_THAT(response, IsOk());
  EXPECT_TRUE(response->embedding_cache_hit);
  EXPECT_EQ(response->results[0].instances.size(), 1u);

  ConceptRequest other = RequestFor(DrawAreasPng(10, 10, {}), {"red"});
  other.image.image_id = "shelf";
  const auto conflict = Run(other);
  EXPECT_THAT(conflict,
              StatusIs(absl::StatusCode::kFailedPrecondition, "shelf"));
  EXPECT_EQ(ReasonOf(conflict.status()), reason::kImageIdConflict);
}

TEST_F(SegmenterTest, ADigestStandsForItsPictureToo) {
  Make();
  const auto first = Run(RequestFor(TwoReds(), {"red"}));
  ConceptRequest by_digest = RequestFor("", {"blue"});
  by_digest.image.image_id = first->image.digest;
  const auto response = Run(by_digest);
  ASSERT_THAT(response, IsOk());
  EXPECT_TRUE(response->embedding_cache_hit);
  // Another tenant's digest is nobody's name.
  const auto other = Start(by_digest, std::make_shared<RequestContext>(
                                          "", "other", absl::InfiniteFuture()));
  other->done.WaitForNotification();
  EXPECT_EQ(ReasonOf(other->response.status()), reason::kImageNotCached);
}

TEST_F(SegmenterTest, PinnedTextsAreAlwaysAtHand) {
  Make({.image_limits = {},
        .text_cache_bytes = 0,
        .pinned_texts = {"red", "red", "blue thing"},
        .warm_up = false});
  EXPECT_EQ(script_->texts_encoded, 3);
  const int64_t bytes = metrics_.text_cache_bytes.value();
  EXPECT_GT(bytes, 0);
  // Running out of memory empties the caches, but for what is pinned.
  script_->FailNext(1, absl::ResourceExhaustedError("out of memory"));
  ASSERT_THAT(Run(RequestFor(TwoReds(), {"red", "blue thing"})), IsOk());
  EXPECT_EQ(script_->texts_encoded, 3);
  EXPECT_EQ(metrics_.text_cache_hits.value(), 2);
  EXPECT_EQ(metrics_.text_cache_misses.value(), 0);
  ASSERT_THAT(Run(RequestFor(TwoReds(), {"green"})), IsOk());
  EXPECT_EQ(script_->texts_encoded, 4);
  EXPECT_EQ(metrics_.text_cache_misses.value(), 1);
  EXPECT_EQ(metrics_.text_cache_bytes.value(), bytes);
}

TEST_F(SegmenterTest, CachesCountWhatTheyEvict) {
  Make({.image_limits = {}, .image_cache_bytes = 5000, .warm_up = false});
  for (const int side : {16, 24}) {
    ASSERT_THAT(Run(RequestFor(DrawAreasPng(side, side, {}), {"red"})), IsOk());
  }
  // One embedding of the fake engine has a little more than 4096 bytes.
  EXPECT_EQ(metrics_.image_cache_evictions.value(), 1);
  EXPECT_GT(metrics_.image_cache_bytes.value(), 4096);
  EXPECT_GT(metrics_.text_cache_bytes.value(), 0);
  script_->FailNext(1, absl::ResourceExhaustedError("out of memory"));
  ASSERT_THAT(Run(RequestFor(DrawAreasPng(32, 32, {}), {"red"})), IsOk());
  EXPECT_EQ(metrics_.image_cache_evictions.value(), 2);
  EXPECT_EQ(metrics_.text_cache_evictions.value(), 1);
}

TEST_F(SegmenterTest, PinnedTextsThatMakeNoSenseAreNamed) {
  SegmenterOptions options;
  options.pinned_texts = {"red", "  "};
  EXPECT_THAT(
      CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_),
      StatusIs(absl::StatusCode::kInvalidArgument, "pinned_texts[1]"));
}

TEST_F(SegmenterTest, UnknownNamesAskForTheBytes) {
  Make();
  ConceptRequest request = RequestFor("", {"red"});
  request.image.image_id = "gone";
  const auto response = Run(request);
  EXPECT_THAT(response, StatusIs(absl::StatusCode::kNotFound, "bytes"));
  EXPECT_EQ(ReasonOf(response.status()), reason::kImageNotCached);
}

TEST_F(SegmenterTest, ExampleBoxesAreCutAtTheBorderAndSaidSo) {
  Make();
  ConceptRequest request = RequestFor(TwoReds(), {"visual"});
  request.prompts[0].exemplars.push_back(
      {{-20, 4, 50, 28}, false, ExemplarLabel::kPositive});
  const auto response = Run(request);
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->results[0].instances.size(), 2u);
  ASSERT_EQ(response->warnings.size(), 1u);
  EXPECT_NE(response->warnings[0].find("prompts[0].exemplars[0].box"),
            std::string::npos);
}

TEST_F(SegmenterTest, ABoxOutsideThePictureIsRefusedByName) {
  Make();
  ConceptRequest request = RequestFor(TwoReds(), {"visual"});
  request.prompts[0].exemplars.push_back(
      {{500, 4, 600, 28}, false, ExemplarLabel::kPositive});
  const auto response = Run(request);
  EXPECT_THAT(response,
              StatusIs(absl::StatusCode::kInvalidArgument, "128 x 64"));
  EXPECT_EQ(FieldOf(response.status()), "prompts[0].exemplars[0].box");
}

TEST_F(SegmenterTest, BrokenPicturesAreRefusedWithAReason) {
  Make();
  const auto response = Run(RequestFor("not a picture", {"red"}));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(response.status()), reason::kMediaUndecodable);
}

TEST_F(SegmenterTest, SuppressionWorksAcrossPrompts) {
  Make();
  ConceptRequest request = RequestFor(TwoReds(), {"red", "red things"});
  EXPECT_EQ(Run(request)->results[1].instances.size(), 2u);
  request.options.nms_iou_threshold = 0.5f;
  const auto response = Run(request);
  EXPECT_EQ(response->results[0].instances.size(), 2u);
  EXPECT_TRUE(response->results[1].instances.empty());
}

TEST_F(SegmenterTest, UnwantedFieldsCostNothing) {
  Make({.image_limits = {}, .warm_up = false});
  ConceptRequest request = RequestFor(TwoReds(), {"red"});
  request.options.fields = {.mask = false, .box = true, .area = false};
  auto response = Run(request);
  ASSERT_THAT(response, IsOk());
  const Instance& boxed = response->results[0].instances[0];
  EXPECT_TRUE(std::holds_alternative<std::monostate>(boxed.mask));
  EXPECT_EQ(boxed.box.x1, 40);
  EXPECT_EQ(boxed.area, 0);
  EXPECT_EQ(script_->pairs_with_masks, 1);
  request.options.fields.box = false;
  response = Run(request);
  ASSERT_THAT(response, IsOk());
  EXPECT_GT(response->results[0].instances[0].score, 0);
  EXPECT_EQ(script_->pairs_with_masks, 1);
}

TEST_F(SegmenterTest, CancelledInTheQueueNeverReachesTheEngine) {
  Make();
  script_->CloseGate();
  const auto running = Start(RequestFor(TwoReds(), {"red"}), Context());
  script_->AwaitGateReached();
  const int64_t pairs = script_->pairs_grounded;
  const auto context = Context();
  const auto queued = Start(RequestFor(TwoReds(), {"blue"}), context);
  context->Cancel();
  script_->OpenGate();
  queued->done.WaitForNotification();
  running->done.WaitForNotification();
  EXPECT_THAT(running->response, IsOk());
  EXPECT_EQ(queued->response.status().code(), absl::StatusCode::kCancelled);
  // One pair: the running request's.
  EXPECT_EQ(script_->pairs_grounded, pairs + 1);
  EXPECT_GE(metrics_.cancelled_before_engine.value(), 1);
}

TEST_F(SegmenterTest, CancelledWhileItsPictureIsEncodedGoesNoFurther) {
  Make();
  const int64_t pairs = script_->pairs_grounded;
  script_->CloseGate(FakeEngineScript::Step::kEncodeImages);
  const auto context = Context();
  const auto left = Start(RequestFor(TwoReds(), {"red"}), context);
  script_->AwaitGateReached();
  context->Cancel();
  script_->OpenGate();
  left->done.WaitForNotification();
  EXPECT_EQ(left->response.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(script_->pairs_grounded, pairs);
  EXPECT_EQ(metrics_.cancelled_after_engine.value(), 1);
  // What was done for it serves the next one.
  EXPECT_TRUE(Run(RequestFor(TwoReds(), {"red"}))->embedding_cache_hit);
}

TEST_F(SegmenterTest, ADeadlineInTheQueueIsToldWhileTheDeviceIsBusy) {
  Make();
  script_->CloseGate();
  const auto running = Start(RequestFor(TwoReds(), {"red"}), Context());
  script_->AwaitGateReached();
  const auto late = Start(RequestFor(TwoReds(), {"blue"}),
                          Context(clock_.Now() + absl::Milliseconds(30)));
  // The gate is still closed: only the expiry can answer.
  late->done.WaitForNotification();
  EXPECT_EQ(late->response.status().code(),
            absl::StatusCode::kDeadlineExceeded);
  script_->OpenGate();
  running->done.WaitForNotification();
  EXPECT_THAT(running->response, IsOk());
}

TEST_F(SegmenterTest, ALateComerIsRefusedWhenAllPlacesAreTaken) {
  Make({.image_limits = {}, .max_active_requests = 1});
  script_->CloseGate();
  const auto running = Start(RequestFor(TwoReds(), {"red"}), Context());
  const auto refused = Start(RequestFor(TwoReds(), {"red"}), Context());
  ASSERT_TRUE(refused->done.HasBeenNotified());
  EXPECT_EQ(ReasonOf(refused->response.status()), reason::kOverloaded);
  EXPECT_TRUE(RetryAfterOf(refused->response.status()).has_value());
  script_->OpenGate();
  running->done.WaitForNotification();
  EXPECT_THAT(running->response, IsOk());
}

TEST_F(SegmenterTest, AnEngineFailureFailsItsBatchAndNoOther) {
  Make();
  script_->FailNext(1, absl::InternalError("broken kernel"));
  const auto failed = Run(RequestFor(TwoReds(), {"red"}));
  EXPECT_THAT(failed, StatusIs(absl::StatusCode::kInternal, "broken kernel"));
  EXPECT_EQ(ReasonOf(failed.status()), reason::kEngineFailure);
  EXPECT_THAT(Run(RequestFor(TwoReds(), {"red"})), IsOk());
}

TEST_F(SegmenterTest, OutOfMemoryIsTriedAgainInHalves) {
  Make();
  script_->FailNext(1, absl::ResourceExhaustedError("out of memory"));
  EXPECT_THAT(Run(RequestFor(TwoReds(), {"red"})), IsOk());
  EXPECT_EQ(metrics_.batch_splits.value(), 1);
  script_->FailNext(2, absl::ResourceExhaustedError("out of memory"));
  EXPECT_EQ(ReasonOf(Run(RequestFor(TwoReds(), {"red"})).status()),
            reason::kDeviceMemory);
}

TEST_F(SegmenterTest, ALostDeviceRefusesEverythingAndSaysSo) {
  Make();
  EXPECT_THAT(segmenter_->Health(), IsOk());
  script_->FailNext(1, absl::UnavailableError("fell off the bus"));
  EXPECT_EQ(ReasonOf(Run(RequestFor(TwoReds(), {"red"})).status()),
            reason::kDeviceLost);
  EXPECT_EQ(ReasonOf(segmenter_->Health()), reason::kDeviceLost);
  EXPECT_EQ(ReasonOf(Run(RequestFor(TwoReds(), {"red"})).status()),
            reason::kDeviceLost);
}

TEST_F(SegmenterTest, DrainFinishesWhatWasAcceptedAndRefusesTheRest) {
  Make();
  script_->CloseGate();
  std::vector<std::shared_ptr<Call>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(Start(RequestFor(TwoReds(), {"red"}), Context()));
  }
  script_->AwaitGateReached();
  script_->OpenGate();
  segmenter_->Drain(absl::InfiniteFuture());
  for (const auto& call : calls) {
    ASSERT_TRUE(call->done.HasBeenNotified());
    EXPECT_THAT(call->response, IsOk());
  }
  EXPECT_EQ(ReasonOf(Run(RequestFor(TwoReds(), {"red"})).status()),
            reason::kDraining);
}

TEST_F(SegmenterTest, SenselessOptionsAreNamed) {
  SegmenterOptions options;
  options.max_batch_pairs = 0;
  EXPECT_THAT(
      CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_),
      StatusIs(absl::StatusCode::kInvalidArgument, "max_batch_pairs"));
}

}  // namespace
}  // namespace sam3
