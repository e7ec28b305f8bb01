// Pictures by URL on their way through the pipeline, with a real web server.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/segmenter.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class UrlRequestTest : public testing::Test {
 protected:
  UrlRequestTest() {
    web_.Serve("/red.png", DrawAreasPng(128, 64, {{"red", 8, 8, 32, 16}}));
    web_.Serve("/none.png", "no picture");
    web_.Serve("/empty.png", "");
    web_.On("/silent.png", [this](const auto& peer) {
      asked_.DecrementCount();
      peer.AwaitGone();
    });
    Make({});
  }

  void Make(SegmenterOptions options) {
    options.url_gate = {{absl::StrCat("127.0.0.1:", web_.port())},
                        /*allow_http=*/true,
                        {"127.0.0.1"}};
    segmenter_.reset();
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
  }

  struct Call {
    absl::Notification done;
    absl::StatusOr<ConceptResponse> response = absl::UnknownError("none");
  };
  std::shared_ptr<Call> Start(
      const std::string& url, const std::string& image_id = "",
      std::shared_ptr<RequestContext> context =
          std::make_shared<RequestContext>("", "", absl::InfiniteFuture())) {
    ConceptRequest request;
    request.image.url = SourceUrl(url);
    request.image.image_id = image_id;
    ConceptPrompt prompt;
    prompt.text = "red";
    prompt.tokens = *segmenter_->tokenizer().Tokenize("red");
    request.prompts.push_back(prompt);
    auto call = std::make_shared<Call>();
    segmenter_->SegmentConcepts(
        std::move(request), std::move(context),
        [call](absl::StatusOr<ConceptResponse> response) {
          call->response = std::move(response);
          call->done.Notify();
        });
    return call;
  }
  absl::StatusOr<ConceptResponse> Run(const std::string& path,
                                      const std::string& image_id = "") {
    const auto call = Start(web_.UrlOf(path), image_id);
    call->done.WaitForNotification();
    return call->response;
  }

  static void Expect(const absl::Status& status, absl::StatusCode code,
                     absl::string_view reason) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), std::string(reason));
    EXPECT_EQ(FieldOf(status), "image.url");
  }

  absl::BlockingCounter asked_{1};
  ScriptedWebServer web_;
  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  std::unique_ptr<Segmenter> segmenter_;
};

TEST_F(UrlRequestTest, APictureIsFetchedAndItsEmbeddingKept) {
  const auto first = Run("/red.png");
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(first->results[0].instances, SizeIs(1));
  EXPECT_EQ(first->image.width, 128);
  EXPECT_FALSE(first->embedding_cache_hit);
  EXPECT_GT(first->timings.fetch, absl::ZeroDuration());
  EXPECT_GE(first->timings.total, first->timings.fetch);
  EXPECT_TRUE(Run("/red.png")->embedding_cache_hit);
  EXPECT_THAT(web_.requests(), SizeIs(2));
  // Other bytes at the same place are another picture.
  web_.Serve("/red.png", DrawAreasPng(64, 64, {{"red", 8, 8, 32, 16}}));
  const auto changed = Run("/red.png");
  EXPECT_FALSE(changed->embedding_cache_hit);
  EXPECT_EQ(changed->image.width, 64);
}

TEST_F(UrlRequestTest, ANameIsBoundToTheBytesThatCame) {
  EXPECT_EQ(Run("/red.png", "mine")->image.image_id, "mine");
  EXPECT_THAT(Run("/red.png", "mine"), IsOk());
  web_.Serve("/red.png", DrawAreasPng(64, 64, {{"red", 8, 8, 32, 16}}));
  EXPECT_EQ(ReasonOf(Run("/red.png", "mine").status()),
            reason::kImageIdConflict);
}

TEST_F(UrlRequestTest, WhatIsNotAllowedIsRefusedBeforeItCountsAsWork) {
  for (const std::string& url :
       {std::string("http://127.0.0.1/red.png"), std::string("file:///a.png"),
        std::string("http://example.com/red.png"), web_.UrlOf("/\\")}) {
    const auto call = Start(url);
    ASSERT_TRUE(call->done.HasBeenNotified());
    Expect(call->response.status(), absl::StatusCode::kPermissionDenied,
           reason::kSourceNotAllowed);
    EXPECT_FALSE(segmenter_->CheckUrl(SourceUrl(url)).ok());
  }
  EXPECT_EQ(metrics_.requests_accepted.value(), 0);
  EXPECT_THAT(segmenter_->CheckUrl(SourceUrl(web_.UrlOf("/"))), IsOk());
}

TEST_F(UrlRequestTest, WhatCannotBeHadIsTold) {
  Expect(Run("/404.png").status(), absl::StatusCode::kFailedPrecondition,
         reason::kMediaUnreachable);
  for (const char* path : {"/none.png", "/empty.png"}) {
    Expect(Run(path).status(), absl::StatusCode::kInvalidArgument,
           reason::kMediaUndecodable);
  }
  SegmenterOptions options;
  options.image_limits.max_bytes = 100;
  Make(options);
  Expect(Run("/red.png").status(), absl::StatusCode::kResourceExhausted,
         reason::kMediaTooLarge);
}

TEST_F(UrlRequestTest, MoreDownloadsThanAllowedAreRefusedAtOnce) {
  SegmenterOptions options;
  options.max_url_fetches = 1;
  options.max_queued_url_fetches = 1;
  Make(options);
  const auto running = Start(web_.UrlOf("/silent.png"));
  asked_.Wait();
  const auto waiting = Start(web_.UrlOf("/red.png"));
  const auto refused = Start(web_.UrlOf("/red.png"));
  ASSERT_TRUE(refused->done.HasBeenNotified());
  EXPECT_EQ(ReasonOf(refused->response.status()), reason::kOverloaded);
  EXPECT_TRUE(RetryAfterOf(refused->response.status()).has_value());
  // A server that stops waits for nobody's web server.
  segmenter_.reset();
  for (const auto& call : {running, waiting}) {
    ASSERT_TRUE(call->done.HasBeenNotified());
    EXPECT_EQ(ReasonOf(call->response.status()), reason::kDraining);
  }
  EXPECT_EQ(metrics_.requests_active.value(), 0);
}

TEST_F(UrlRequestTest, ACancelledDownloadStops) {
  const auto context =
      std::make_shared<RequestContext>("", "", absl::InfiniteFuture());
  const auto call = Start(web_.UrlOf("/silent.png"), "", context);
  asked_.Wait();
  context->Cancel();
  call->done.WaitForNotification();
  EXPECT_THAT(call->response, StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(UrlRequestTest, UnknownSizesAreReservedAndGivenBack) {
  SegmenterOptions options;
  options.max_active_bytes = 50'000'000;  // two unknown pictures of 20 MB
  options.max_url_fetches = 4;
  Make(options);
  const auto context =
      std::make_shared<RequestContext>("", "", absl::InfiniteFuture());
  const auto running = Start(web_.UrlOf("/silent.png"), "", context);
  asked_.Wait();
  // Once its size is known a picture leaves room for others, also while it
  // waits for the device.
  script_->CloseGate();
  const auto held = Start(web_.UrlOf("/red.png"));
  script_->AwaitGateReached();
  const auto third = Start(web_.UrlOf("/red.png"));
  EXPECT_FALSE(third->done.HasBeenNotified());
  script_->OpenGate();
  third->done.WaitForNotification();
  EXPECT_THAT(third->response, IsOk());
  context->Cancel();
  running->done.WaitForNotification();
  held->done.WaitForNotification();
}

TEST_F(UrlRequestTest, RulesThatMakeNoSenseStopTheStart) {
  SegmenterOptions options;
  options.url_gate.hosts = {"https://example.com"};
  EXPECT_THAT(
      CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_),
      StatusIs(absl::StatusCode::kInvalidArgument, "https://example.com"));
}

}  // namespace
}  // namespace sam3
