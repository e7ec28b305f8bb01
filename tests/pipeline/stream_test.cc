// Streams on the fake engine, in process: order, accounting, back-pressure.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/segmenter_factory.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/waiting_listener.h"

namespace sam3 {
namespace {

class StreamTest : public testing::Test {
 protected:
  ~StreamTest() override {
    script_->OpenGate();
    if (session_ != nullptr) session_->Detach();
  }

  void Open(FrameDelivery delivery, SegmenterOptions options = {}) {
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
    config_.delivery = delivery;
    config_.prompts = {Prompt("red"), Prompt("blue")};
    auto session = segmenter_->OpenStream(
        config_,
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
        &listener_);
    ASSERT_THAT(session, IsOk());
    session_ = *std::move(session);
  }

  ConceptPrompt Prompt(const std::string& text) {
    ConceptPrompt prompt;
    prompt.prompt_id = text;
    prompt.text = text;
    prompt.tokens = *segmenter_->tokenizer().Tokenize(text);
    return prompt;
  }

  void Push(const std::string& content = Frame()) {
    EXPECT_THAT(session_->PushFrame({content, std::nullopt}), IsOk());
  }

  static const std::string& Frame() {
    static const std::string kPng =
        DrawAreasPng(64, 64, {{"red", 8, 8, 16, 16}});
    return kPng;
  }

  std::optional<StreamEvent> Next() {
    std::optional<StreamEvent> event;
    listener_.Await([&] {
      event = session_->TakeOutput();
      return event.has_value() || session_->FinalStatus().has_value();
    });
    return event;
  }

  // Everything until the end; checks order and the summary's sums.
  void ReadToTheEnd() {
    int64_t next = 0;
    while (const auto event = Next()) {
      if (const auto* result = std::get_if<FrameResult>(&*event)) {
        EXPECT_EQ(result->frame_index, next);
        if (result->last_in_frame) ++next;
        ++results_;
      } else if (const auto* drop = std::get_if<FramesDropped>(&*event)) {
        EXPECT_EQ(drop->first_index, next);
        next = drop->last_index + 1;
      } else if (const auto* refused = std::get_if<FrameRefused>(&*event)) {
        EXPECT_EQ(refused->frame_index, next++);
      } else if (const auto* updated = std::get_if<PromptsUpdated>(&*event)) {
        updates_.push_back(updated->effective_frame_index);
      } else if (const auto* rejected = std::get_if<PromptRejected>(&*event)) {
        rejected_.push_back(rejected->prompt_id);
      } else if (const auto* summary = std::get_if<StreamSummary>(&*event)) {
        EXPECT_FALSE(summary_.has_value());
        summary_ = *summary;
      }
    }
    ASSERT_TRUE(summary_.has_value());
    int64_t dropped = 0;
    for (const auto& [reason, count] : summary_->dropped) dropped += count;
    EXPECT_EQ(summary_->frames_in,
              summary_->answered + dropped + summary_->refused);
    EXPECT_EQ(next, summary_->frames_in);
  }

  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  WaitingListener listener_;
  StreamConfig config_;
  std::unique_ptr<Segmenter> segmenter_;
  std::shared_ptr<StreamSession> session_;
  int results_ = 0;
  std::vector<int64_t> updates_;
  std::vector<std::string> rejected_;
  std::optional<StreamSummary> summary_;
};

TEST_F(StreamTest, EveryFrameIsAnsweredInOrder) {
  Open(FrameDelivery::kEvery);
  for (int i = 0; i < 50; ++i) {
    listener_.Await([&] {
      // Results have to be read for input to be wanted again.
      while (session_->TakeOutput().has_value()) {
      }
      return session_->WantsInput();
    });
    Push();
  }
  session_->CloseInput();
  listener_.Await([&] {
    while (const auto event = session_->TakeOutput()) {
      if (const auto* summary = std::get_if<StreamSummary>(&*event)) {
        summary_ = *summary;
      }
    }
    return session_->FinalStatus().has_value();
  });
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
  EXPECT_EQ(summary_->frames_in, 50);
  EXPECT_EQ(summary_->answered, 50);
}

TEST_F(StreamTest, ResultsOfAFrameCarryTheirPrompts) {
  Open(FrameDelivery::kEvery);
  Push();
  session_->CloseInput();
  EXPECT_TRUE(std::holds_alternative<StreamStarted>(*Next()));
  const auto first = std::get<FrameResult>(*Next());
  EXPECT_EQ(first.result.prompt_id, "red");
  EXPECT_EQ(first.result.instances.size(), 1u);
  EXPECT_FALSE(first.last_in_frame);
  const auto second = std::get<FrameResult>(*Next());
  EXPECT_EQ(second.result.prompt_id, "blue");
  EXPECT_TRUE(second.last_in_frame);
  EXPECT_EQ(std::get<StreamSummary>(*Next()).answered, 1);
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
}

TEST_F(StreamTest, LatestReplacesWhatWaitsAndSaysSo) {
  Open(FrameDelivery::kLatest);
  script_->CloseGate();
  Push();
  script_->AwaitGateReached();
  for (int i = 0; i < 9; ++i) Push();
  EXPECT_TRUE(session_->WantsInput());
  session_->CloseInput();
  script_->OpenGate();
  ReadToTheEnd();
  EXPECT_EQ(summary_->frames_in, 10);
  EXPECT_GE(summary_->answered, 2);
  EXPECT_GE(summary_->dropped[DropReason::kStale], 1);
}

TEST_F(StreamTest, EveryHoldsTheClientBack) {
  Open(FrameDelivery::kEvery);
  script_->CloseGate();
  int pushed = 0;
  // With the device stopped, only so many frames fit between client and engine.
  for (; pushed < 1000 && session_->WantsInput(); ++pushed) Push();
  EXPECT_LT(pushed, 1000);
  script_->OpenGate();
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->answered, pushed);
}

TEST_F(StreamTest, BrokenFramesAreRefusedAndTheStreamGoesOn) {
  Open(FrameDelivery::kEvery);
  Push();
  Push("no picture");
  Push();
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->answered, 2);
  EXPECT_EQ(summary_->refused, 1);
}

TEST_F(StreamTest, AnEngineFailureDropsItsFrame) {
  Open(FrameDelivery::kEvery);
  script_->FailNext(1, absl::InternalError("x"));
  Push();
  Push();
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->dropped[DropReason::kEngine], 1);
  EXPECT_EQ(summary_->answered, 1);
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
}

TEST_F(StreamTest, PromptsChangeAtANamedFrame) {
  Open(FrameDelivery::kEvery);
  Push();
  session_->UpdatePrompts({{Prompt("green")}, {"red", "nobody"}});
  session_->UpdatePrompts({{Prompt("green")}, {}});
  Push();
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(updates_, (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(rejected_, (std::vector<std::string>{"nobody", "green"}));
  // Two prompts on each of the two frames.
  EXPECT_EQ(results_, 4);
}

TEST_F(StreamTest, TooManyPromptsAreRejectedOneByOne) {
  Open(FrameDelivery::kEvery);
  PromptUpdate update;
  for (int i = 0; i < 16; ++i) update.add.push_back(Prompt(absl::StrCat(i)));
  update.rejected.push_back({"wrong", absl::InvalidArgumentError("x")});
  session_->UpdatePrompts(std::move(update));
  session_->CloseInput();
  ReadToTheEnd();
  // There were two before.
  EXPECT_EQ(rejected_, (std::vector<std::string>{"wrong", "14", "15"}));
}

TEST_F(StreamTest, SampledOutFramesAreAccountedFor) {
  config_.every_nth_frame = 3;
  Open(FrameDelivery::kEvery);
  for (int i = 0; i < 7; ++i) Push();
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->answered, 3);
  EXPECT_EQ(summary_->dropped[DropReason::kSampledOut], 4);
}

TEST_F(StreamTest, CancelDropsWhatIsOpenAndEndsWithTheReason) {
  Open(FrameDelivery::kEvery);
  script_->CloseGate();
  Push();
  script_->AwaitGateReached();
  Push();
  session_->Cancel(absl::CancelledError("enough"));
  script_->OpenGate();
  ReadToTheEnd();
  EXPECT_EQ(summary_->dropped[DropReason::kCancelled], 2);
  EXPECT_THAT(*session_->FinalStatus(),
              StatusIs(absl::StatusCode::kCancelled, "enough"));
}

TEST_F(StreamTest, LatestShedsResultsThatNobodyReads) {
  SegmenterOptions options;
  options.max_unsent_frames = 2;
  Open(FrameDelivery::kLatest, options);
  for (int i = 0; i < 6; ++i) {
    const int64_t before =
        metrics_.frames_answered.value() +
        metrics_.frames_dropped[static_cast<size_t>(DropReason::kSlowConsumer)]
            .value();
    Push();
    listener_.Await([&] {
      return metrics_.frames_answered.value() +
                 metrics_
                     .frames_dropped[static_cast<size_t>(
                         DropReason::kSlowConsumer)]
                     .value() >
             before;
    });
  }
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->answered, 2);
  EXPECT_EQ(summary_->dropped[DropReason::kSlowConsumer], 4);
}

TEST_F(StreamTest, AClientThatDoesNotReadLosesItsStream) {
  SegmenterOptions options;
  options.slow_consumer_timeout = absl::Milliseconds(1);
  Open(FrameDelivery::kEvery, options);
  Push();
  listener_.Await([&] { return session_->FinalStatus().has_value(); });
  EXPECT_EQ(ReasonOf(*session_->FinalStatus()), reason::kSlowConsumer);
}

TEST_F(StreamTest, SilenceIsFilledWithHeartbeats) {
  SegmenterOptions options;
  options.heartbeat_interval = absl::Milliseconds(1);
  Open(FrameDelivery::kEvery, options);
  EXPECT_TRUE(std::holds_alternative<StreamStarted>(*Next()));
  EXPECT_TRUE(std::holds_alternative<Heartbeat>(*Next()));
}

TEST_F(StreamTest, DrainAnswersWhatCameInAndEndsUnavailable) {
  SegmenterOptions options;
  options.drain_notice = absl::ZeroDuration();
  Open(FrameDelivery::kEvery, options);
  script_->CloseGate();
  Push();
  script_->AwaitGateReached();
  Push();
  std::thread drain([&] { segmenter_->Drain(absl::InfiniteFuture()); });
  listener_.Await([&] { return !session_->WantsInput(); });
  // Was under way when the input was closed: told exactly, too.
  Push();
  script_->OpenGate();
  ReadToTheEnd();
  EXPECT_EQ(ReasonOf(*session_->FinalStatus()), reason::kDraining);
  session_->Detach();
  drain.join();
  EXPECT_EQ(summary_->answered, 2);
  EXPECT_EQ(summary_->refused, 1);
  session_.reset();
}

TEST_F(StreamTest, InputAfterTheEndIsIgnored) {
  Open(FrameDelivery::kEvery);
  session_->CloseInput();
  ReadToTheEnd();
  Push();
  session_->UpdatePrompts({{Prompt("green")}, {}});
  EXPECT_FALSE(session_->TakeOutput().has_value());
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
}

TEST_F(StreamTest, AFrameWithTooManyBytesIsRefused) {
  SegmenterOptions options;
  options.max_frame_bytes = Frame().size();
  Open(FrameDelivery::kEvery, options);
  Push();
  Push(Frame() + "x");
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->answered, 1);
  EXPECT_EQ(summary_->refused, 1);
}

TEST_F(StreamTest, StartedTellsWhatIsInForce) {
  config_.every_nth_frame = 3;
  config_.options.nms_iou_threshold = 0.25f;
  SegmenterOptions options;
  options.max_unsent_frames = 5;
  Open(FrameDelivery::kLatest, options);
  const auto started = std::get<StreamStarted>(*Next());
  EXPECT_EQ(started.delivery, FrameDelivery::kLatest);
  EXPECT_EQ(started.every_nth_frame, 3);
  EXPECT_EQ(started.options.nms_iou_threshold, 0.25f);
  EXPECT_EQ(started.limits.max_unsent_frames, 5);
  EXPECT_EQ(started.limits.heartbeat_interval, absl::Seconds(15));
  EXPECT_EQ(started.source.width, 0);
}

TEST_F(StreamTest, StreamSlotsAreBoundedAndComeBack) {
  SegmenterOptions options;
  options.max_streams = 1;
  Open(FrameDelivery::kEvery, options);
  const auto open = [&] {
    return segmenter_->OpenStream(
        config_,
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
        &listener_);
  };
  EXPECT_EQ(ReasonOf(open().status()), reason::kOverloaded);
  session_->Detach();
  auto second = open();
  ASSERT_THAT(second, IsOk());
  session_ = *second;
}

TEST_F(StreamTest, ADeviceThatIsSlowTakesNoFurtherStreams) {
  SegmenterOptions options;
  options.min_stream_fps = 4;
  Open(FrameDelivery::kEvery, options);
  const auto answer = [&](int frames) {
    for (int i = 0; i < frames; ++i) {
      Push();
      while (true) {
        const auto event = Next();
        ASSERT_TRUE(event.has_value());
        const auto* result = std::get_if<FrameResult>(&*event);
        if (result != nullptr && result->last_in_frame) break;
      }
    }
  };
  const auto free = [&] { return segmenter_->capacity().stream_slots_free; };
  EXPECT_GT(free(), 0);
  script_->SetLatency(
      {absl::ZeroDuration(), absl::Seconds(2), absl::ZeroDuration()});
  answer(1);
  // What it cost has been counted when the next one is answered.
  script_->SetLatency({});
  answer(1);
  EXPECT_EQ(free(), 0);
  EXPECT_THAT(
      segmenter_
          ->OpenStream(config_,
                       std::make_shared<RequestContext>("id", "",
                                                        absl::InfiniteFuture()),
                       &listener_)
          .status(),
      StatusIs(absl::StatusCode::kResourceExhausted, "too slow for more"));
  // It is not so for ever.
  answer(40);
  EXPECT_GT(free(), 0);
}

TEST_F(StreamTest, BytesThatAreNoVideoEndTheStreamWithAReason) {
  config_.source = StreamSourceKind::kPushedChunks;
  Open(FrameDelivery::kEvery);
  EXPECT_THAT(session_->PushFrame({Frame(), std::nullopt}),
              StatusIs(absl::StatusCode::kInvalidArgument, "source"));
  EXPECT_THAT(session_->PushChunk(std::string(10'000, 'x')), IsOk());
  session_->CloseInput();
  ReadToTheEnd();
  EXPECT_EQ(summary_->frames_in, 0);
  EXPECT_EQ(ReasonOf(*session_->FinalStatus()), reason::kMediaUndecodable);
}

}  // namespace
}  // namespace sam3
