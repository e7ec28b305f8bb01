// Shutting down, on a clock that only the test moves: what is told to whom,
// and what happens to work that does not finish in time.
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/synchronization/notification.h"
#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/waiting_listener.h"

namespace sam3 {
namespace {

class DrainTest : public testing::Test {
 protected:
  void SetUp() override {
    SegmenterOptions options;
    options.heartbeat_interval = absl::InfiniteDuration();
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
  }
  void TearDown() override {
    script_->OpenGate();
    if (session_ != nullptr) session_->Detach();
    session_.reset();
    segmenter_.reset();
    // Whatever the test did, nothing is left over.
    EXPECT_EQ(metrics_.requests_active.value(), 0);
    EXPECT_EQ(metrics_.streams_active.value(), 0);
    EXPECT_EQ(metrics_.queued_jobs.value(), 0);
    EXPECT_EQ(metrics_.queued_bytes.value(), 0);
    EXPECT_EQ(
        metrics_.requests_finished.value() + metrics_.requests_failed.value(),
        metrics_.requests_accepted.value());
  }

  ConceptPrompt Prompt(const std::string& text) {
    ConceptPrompt prompt;
    prompt.prompt_id = text;
    prompt.text = text;
    prompt.tokens = *segmenter_->tokenizer().Tokenize(text);
    return prompt;
  }

  static const std::string& Picture() {
    static const std::string kPng =
        DrawAreasPng(64, 64, {{"red", 8, 8, 16, 16}});
    return kPng;
  }

  struct Call {
    absl::Notification done;
    absl::Status status = absl::UnknownError("none");
  };
  std::shared_ptr<Call> Ask() {
    ConceptRequest request;
    request.image.content = Picture();
    request.prompts = {Prompt("red")};
    auto call = std::make_shared<Call>();
    segmenter_->SegmentConcepts(
        std::move(request),
        std::make_shared<RequestContext>("", "", absl::InfiniteFuture()),
        [call](absl::StatusOr<ConceptResponse> response) {
          call->status = response.status();
          call->done.Notify();
        });
    return call;
  }

  void OpenStream(const StreamConfig& source = {}) {
    StreamConfig config = source;
    config.prompts = {Prompt("red")};
    auto session = segmenter_->OpenStream(
        std::move(config),
        std::make_shared<RequestContext>("", "", absl::InfiniteFuture()),
        &listener_);
    ASSERT_THAT(session, IsOk());
    session_ = *std::move(session);
    EXPECT_TRUE(std::holds_alternative<StreamStarted>(*Next()));
  }

  std::optional<StreamEvent> Next() {
    std::optional<StreamEvent> event;
    listener_.Await([&] {
      event = session_->TakeOutput();
      return event.has_value() || session_->FinalStatus().has_value();
    });
    return event;
  }

  std::thread DrainIn(absl::Duration time) {
    return std::thread([this, deadline = clock_.Now() + time] {
      segmenter_->Drain(deadline);
    });
  }

  void Push() {
    EXPECT_THAT(session_->PushFrame({Picture(), std::nullopt}), IsOk());
  }

  static void ExpectDraining(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), reason::kDraining);
    EXPECT_TRUE(RetryAfterOf(status).has_value());
  }

  FakeClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  WaitingListener listener_;
  std::unique_ptr<Segmenter> segmenter_;
  std::shared_ptr<StreamSession> session_;
};

TEST_F(DrainTest, WorkOnTheDeviceAtTheDeadlineGetsAPreciseStatus) {
  script_->CloseGate();
  const auto running = Ask();
  script_->AwaitGateReached();
  const auto queued = Ask();
  while (metrics_.queued_jobs.value() < 1) std::this_thread::yield();
  std::thread drain = DrainIn(absl::Seconds(20));
  while (segmenter_->Health().ok()) std::this_thread::yield();
  clock_.Advance(absl::Seconds(10));
  EXPECT_FALSE(running->done.HasBeenNotified());
  clock_.Advance(absl::Seconds(10));
  // The gate is still closed: neither waits for the device.
  drain.join();
  running->done.WaitForNotification();
  queued->done.WaitForNotification();
  ExpectDraining(running->status);
  ExpectDraining(queued->status);
  EXPECT_EQ(metrics_.requests_failed.value(), 2);
  EXPECT_EQ(metrics_.queued_jobs.value(), 0);
  ExpectDraining([&] {
    const auto late = Ask();
    late->done.WaitForNotification();
    return late->status;
  }());
  // What the device was doing ends for nobody.
  script_->OpenGate();
  segmenter_->Drain(absl::InfiniteFuture());
  EXPECT_EQ(metrics_.requests_active.value(), 0);
  EXPECT_EQ(metrics_.cancelled_after_engine.value(), 1);
  EXPECT_EQ(metrics_.requests_finished.value(), 0);
}

TEST_F(DrainTest, AStreamOnTheDeviceAtTheDeadlineIsSummedUp) {
  OpenStream();
  script_->CloseGate();
  Push();
  script_->AwaitGateReached();
  Push();
  std::thread drain = DrainIn(absl::Seconds(20));
  EXPECT_EQ(std::get<GoingAway>(*Next()).within, absl::Seconds(10));
  clock_.Advance(absl::Seconds(10));
  listener_.Await([&] { return !session_->WantsInput(); });
  clock_.Advance(absl::Seconds(10));
  const auto dropped = std::get<FramesDropped>(*Next());
  EXPECT_EQ(dropped.last_index, 1);
  EXPECT_EQ(dropped.reason, DropReason::kCancelled);
  EXPECT_EQ(std::get<StreamSummary>(*Next()).frames_in, 2);
  ExpectDraining(*session_->FinalStatus());
  drain.join();
}

TEST_F(DrainTest, StreamsAreServedUntilTheTimeThatTheyWereTold) {
  OpenStream();
  std::thread drain = DrainIn(absl::Minutes(10));
  // The notice of the options; half of the time would be more.
  EXPECT_EQ(std::get<GoingAway>(*Next()).within, absl::Seconds(10));
  clock_.Advance(absl::Seconds(9));
  Push();
  EXPECT_EQ(std::get<FrameResult>(*Next()).frame_index, 0);
  EXPECT_FALSE(session_->FinalStatus().has_value());
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(std::get<StreamSummary>(*Next()).answered, 1);
  ExpectDraining(*session_->FinalStatus());
  session_->Detach();
  drain.join();
}

TEST_F(DrainTest, AStreamThatEndsByItselfInTimeEndsWell) {
  OpenStream();
  Push();
  EXPECT_TRUE(std::holds_alternative<FrameResult>(*Next()));
  std::thread drain = DrainIn(absl::Minutes(10));
  EXPECT_TRUE(std::holds_alternative<GoingAway>(*Next()));
  Push();
  session_->CloseInput();
  EXPECT_EQ(std::get<FrameResult>(*Next()).frame_index, 1);
  EXPECT_EQ(std::get<StreamSummary>(*Next()).answered, 2);
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
  session_->Detach();
  // Nobody is left to wait for: time does not have to pass.
  drain.join();
}

}  // namespace
}  // namespace sam3
