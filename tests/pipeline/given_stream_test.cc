// Streams that follow given objects, on the fake engine: objects that come, are
// corrected and go, and questions about the newest frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
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

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr int kSide = 128;

GivenObject Clicked(int64_t id, float x, float y) {
  return {.object_id = id, .points = {{x, y}}};
}

GivenObject Boxed(int64_t id, Box box) {
  return {.object_id = id, .box = PointedObject::Frame{box}};
}

// What one frame told.
struct Told {
  std::map<int64_t, Box> boxes;  // all zero for what is not to be seen
  std::map<int64_t, TrackPhase> phases;
  std::vector<std::pair<int64_t, TrackPhase>> events;
};

class GivenStreamTest : public testing::Test {
 protected:
  ~GivenStreamTest() override {
    if (session_ != nullptr) session_->Detach();
  }

  void Open(std::vector<GivenObject> objects, TrackConfig track = {},
            FrameDelivery delivery = FrameDelivery::kEvery) {
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options_, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
    StreamConfig config;
    config.track = track;
    config.objects = std::move(objects);
    config.delivery = delivery;
    auto session = segmenter_->OpenStream(
        config,
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
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

  // The next event of a kind; those before it are kept in `passed_`.
  template <typename T>
  T Next() {
    while (auto event = Next()) {
      if (auto* found = std::get_if<T>(&*event)) return std::move(*found);
      passed_.push_back(*std::move(event));
    }
    ADD_FAILURE() << "the stream has ended";
    return {};
  }

  void Push(const std::vector<ColouredArea>& areas) {
    EXPECT_THAT(
        session_->PushFrame({DrawAreasPng(kSide, kSide, areas), std::nullopt}),
        IsOk());
  }

  Told Show(const std::vector<ColouredArea>& areas) {
    Push(areas);
    const auto result = Next<FrameResult>();
    EXPECT_TRUE(result.last_in_frame);
    EXPECT_EQ(result.result.prompt_id, "objects");
    EXPECT_EQ(result.result.prompt_index, 0);
    Told told;
    for (const Instance& instance : result.result.instances) {
      const int64_t id = instance.object_id.value();
      told.boxes[id] = instance.box;
      told.phases[id] = instance.phase;
      EXPECT_EQ(instance.score > 0.5f,
                instance.phase == TrackPhase::kConfirmed);
    }
    for (const TrackEvent& event : result.object_events) {
      told.events.emplace_back(event.id, event.phase);
    }
    return told;
  }

  static ColouredArea Red(int x, int y = 16) { return {"red", x, y, 24, 24}; }
  static ColouredArea Blue(int x, int y = 80) { return {"blue", x, y, 24, 24}; }

  SegmenterOptions options_;
  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  WaitingListener listener_;
  std::unique_ptr<Segmenter> segmenter_;
  std::shared_ptr<StreamSession> session_;
  std::vector<StreamEvent> passed_;
};

TEST_F(GivenStreamTest, ObjectsAreFollowedWithoutADetector) {
  Open({Clicked(7, 20, 20), Boxed(3, {80, 80, 104, 104})});
  // What the server's start has cost.
  const int64_t grounded = script_->pairs_grounded;
  const int64_t encoded = script_->images_encoded;
  const Told first = Show({Red(16), Blue(80)});
  EXPECT_THAT(first.events, ElementsAre(Pair(3, TrackPhase::kConfirmed),
                                        Pair(7, TrackPhase::kConfirmed)));
  Told last;
  for (int i = 1; i < 10; ++i) {
    last = Show({Red(16 + 4 * i), Blue(80, 80 - 4 * i)});
    EXPECT_THAT(last.events, IsEmpty());
  }
  EXPECT_THAT(last.boxes, ElementsAre(Pair(3, Box{80, 44, 104, 68}),
                                      Pair(7, Box{52, 16, 76, 40})));
  EXPECT_EQ(script_->frames_tracked, 10);
  EXPECT_EQ(script_->pairs_grounded, grounded);
  EXPECT_EQ(script_->images_encoded, encoded + 10);
}

TEST_F(GivenStreamTest, WithoutMemoryForMoreObjectsNoneIsAdded) {
  options_.max_tracked_bytes = 1;
  Open({Clicked(1, 20, 20)});
  Show({Red(16), Blue(80)});
  session_->UpdatePrompts({.describe = {Clicked(2, 90, 90)}});
  const auto rejected = Next<PromptRejected>();
  EXPECT_EQ(rejected.prompt_id, "2");
  EXPECT_THAT(rejected.status, StatusIs(absl::StatusCode::kResourceExhausted,
                                        "limits.tracked_objects_mb"));
  // What is followed may still be corrected.
  session_->UpdatePrompts({.describe = {Clicked(1, 90, 90)}});
  EXPECT_THAT(Show({Red(16), Blue(80)}).boxes,
              ElementsAre(Pair(1, Box{80, 80, 104, 104})));
}

TEST_F(GivenStreamTest, AMaskOfTheFramesSizeDescribesAnObject) {
  // Columns 16 to 40 of rows 16 to 40.
  GivenMask mask{kSide, kSide, {16 * kSide + 16}};
  for (int i = 0; i < 24; ++i) {
    mask.counts.push_back(24);
    mask.counts.push_back(kSide - 24);
  }
  mask.counts.back() += (kSide - 40) * kSide - 16;
  GivenObject object{.object_id = 1};
  object.mask = std::make_shared<const GivenMask>(mask);
  mask = {64, 64, {64 * 64}};
  GivenObject small{.object_id = 2};
  small.mask = std::make_shared<const GivenMask>(mask);
  Open({object, small});
  const Told told = Show({Red(16), Blue(80)});
  EXPECT_THAT(told.boxes, ElementsAre(Pair(1, Box{16, 16, 40, 40})));
  const auto rejected = Next<PromptRejected>();
  EXPECT_EQ(rejected.prompt_id, "2");
  EXPECT_THAT(rejected.status,
              StatusIs(absl::StatusCode::kInvalidArgument, "128 x 128"));
}

TEST_F(GivenStreamTest, WhatIsHiddenIsLostAndStaysAmongTheResults) {
  Open({Clicked(0, 20, 20)});
  Show({Red(16)});
  const Told gone = Show({});
  EXPECT_THAT(gone.phases, ElementsAre(Pair(0, TrackPhase::kLost)));
  EXPECT_THAT(gone.boxes, ElementsAre(Pair(0, Box{})));
  EXPECT_THAT(gone.events, ElementsAre(Pair(0, TrackPhase::kLost)));
  EXPECT_THAT(Show({}).events, IsEmpty());
  EXPECT_THAT(Show({Red(20)}).events,
              ElementsAre(Pair(0, TrackPhase::kRecovered)));
}

TEST_F(GivenStreamTest, ObjectsComeAreCorrectedAndGo) {
  Open({Clicked(0, 20, 20)});
  Show({Red(16), Blue(80)});
  session_->UpdatePrompts({.describe = {Clicked(5, 90, 90)}});
  EXPECT_EQ(Next<PromptsUpdated>().effective_frame_index, 1);
  Told told = Show({Red(16), Blue(80)});
  EXPECT_THAT(told.events, ElementsAre(Pair(5, TrackPhase::kConfirmed)));
  // Known: corrected, without an event.
  session_->UpdatePrompts({.describe = {Clicked(0, 92, 92)}});
  told = Show({Red(16), Blue(80)});
  EXPECT_THAT(told.events, IsEmpty());
  EXPECT_EQ(told.boxes.at(0), told.boxes.at(5));
  session_->UpdatePrompts({.drop = {0}});
  told = Show({Red(16), Blue(80)});
  EXPECT_THAT(told.events, ElementsAre(Pair(0, TrackPhase::kEnded)));
  EXPECT_THAT(told.boxes, SizeIs(1));
  // Dropped and described at once: a new object of that number.
  session_->UpdatePrompts({.describe = {Clicked(5, 20, 20)}, .drop = {5}});
  told = Show({Red(16), Blue(80)});
  EXPECT_THAT(told.events, ElementsAre(Pair(5, TrackPhase::kEnded),
                                       Pair(5, TrackPhase::kConfirmed)));
  EXPECT_EQ(told.boxes.at(5), (Box{16, 16, 40, 40}));
  // None left: frames go on.
  session_->UpdatePrompts({.drop = {5}});
  EXPECT_THAT(Show({Red(16)}).events, ElementsAre(Pair(5, TrackPhase::kEnded)));
  EXPECT_THAT(Show({Red(16)}).boxes, IsEmpty());
}

TEST_F(GivenStreamTest, ChangesCountFromTheFrameThatIsNamed) {
  Open({Clicked(0, 20, 20)});
  script_->CloseGate(FakeEngineScript::Step::kEncodeImages);
  for (int i = 0; i < 3; ++i) Push({Red(16), Blue(80)});
  session_->UpdatePrompts({.describe = {Clicked(1, 90, 90)}});
  // Said again before its frame: the later word counts.
  session_->UpdatePrompts({.describe = {Clicked(1, 20, 20)}});
  Push({Red(16), Blue(80)});
  script_->OpenGate();
  for (size_t objects : {1, 1, 1, 2}) {
    EXPECT_THAT(Next<FrameResult>().result.instances, SizeIs(objects));
  }
  EXPECT_EQ(Show({Red(16), Blue(80)}).boxes.at(1), (Box{16, 16, 40, 40}));
}

TEST_F(GivenStreamTest, APreviewChangesNothingAndACommitDoes) {
  Open({Clicked(0, 20, 20)});
  Show({Red(16), Blue(80)});
  session_->UpdatePrompts({.preview = {Clicked(0, 90, 90)}});
  auto shown = Next<ObjectPreview>();
  EXPECT_EQ(shown.frame_index, 0);
  EXPECT_FALSE(shown.committed);
  EXPECT_EQ(shown.instance.object_id, 0);
  EXPECT_EQ(shown.instance.box, (Box{80, 80, 104, 104}));
  EXPECT_EQ(shown.instance.area, 24 * 24);
  EXPECT_EQ(Show({Red(16), Blue(80)}).boxes.at(0), (Box{16, 16, 40, 40}));
  session_->UpdatePrompts({.commit = {Clicked(0, 90, 90)}});
  shown = Next<ObjectPreview>();
  EXPECT_EQ(shown.frame_index, 1);
  EXPECT_TRUE(shown.committed);
  EXPECT_EQ(Show({Red(16), Blue(80)}).boxes.at(0), (Box{80, 80, 104, 104}));
  EXPECT_EQ(script_->objects_asked, 2);
  EXPECT_EQ(script_->frames_tracked, 3);
}

TEST_F(GivenStreamTest, QuestionsWaitForTheirObjectsFirstFrame) {
  Open({Clicked(0, 20, 20)});
  session_->UpdatePrompts(
      {.describe = {Clicked(1, 90, 90)}, .preview = {Clicked(1, 20, 20)}});
  Push({Red(16), Blue(80)});
  const auto shown = Next<ObjectPreview>();
  EXPECT_EQ(shown.frame_index, 0);
  EXPECT_EQ(shown.instance.object_id, 1);
}

TEST_F(GivenStreamTest, WhatCannotBeIsRejectedAndTheRestGoesOn) {
  Open({Clicked(0, 20, 20)}, {.max_objects = 2});
  Show({Red(16), Blue(80)});
  PromptUpdate update;
  update.add.emplace_back().prompt_id = "red";
  update.remove = {"blue"};
  update.drop = {9};
  update.describe = {Clicked(1, 90, 90), Clicked(2, 90, 90)};
  update.preview = {Clicked(4, 1, 1), Clicked(0, 500, 20), Clicked(0, 90, 90)};
  update.rejected = {{"11", absl::InvalidArgumentError("is wrong")}};
  session_->UpdatePrompts(std::move(update));
  EXPECT_EQ(Next<ObjectPreview>().instance.box, (Box{80, 80, 104, 104}));
  std::map<std::string, absl::Status> rejected;
  for (const StreamEvent& event : passed_) {
    if (const auto* one = std::get_if<PromptRejected>(&event)) {
      rejected[one->prompt_id] = one->status;
    }
  }
  EXPECT_THAT(rejected, SizeIs(7));
  EXPECT_EQ(rejected["red"].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(rejected["blue"].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(rejected["9"]), reason::kPromptNotFound);
  EXPECT_EQ(ReasonOf(rejected["4"]), reason::kPromptNotFound);
  EXPECT_THAT(rejected["2"], StatusIs(absl::StatusCode::kInvalidArgument,
                                      "no more are allowed"));
  EXPECT_THAT(rejected["0"], StatusIs(absl::StatusCode::kInvalidArgument,
                                      "points[0] lies outside"));
  EXPECT_THAT(Show({Red(16), Blue(80)}).boxes, SizeIs(2));
}

TEST_F(GivenStreamTest, ADescriptionBesideTheFrameStartsNothing) {
  Open({Clicked(0, 20, 20)}, {.max_objects = 2});
  Show({Red(16)});
  session_->UpdatePrompts({.describe = {Clicked(1, 500, 1), Clicked(0, 500, 1)},
                           .preview = {Clicked(1, 20, 20)}});
  const Told told = Show({Red(16)});
  // The known one goes on as it was.
  EXPECT_THAT(told.boxes, ElementsAre(Pair(0, Box{16, 16, 40, 40})));
  std::vector<std::string> rejected;
  for (int i = 0; i < 3; ++i) {
    rejected.push_back(Next<PromptRejected>().prompt_id);
  }
  EXPECT_THAT(rejected, testing::UnorderedElementsAre("0", "1", "1"));
  // Its place is free again.
  session_->UpdatePrompts({.describe = {Clicked(2, 20, 20)}});
  EXPECT_THAT(Show({Red(16)}).boxes, SizeIs(2));
}

TEST_F(GivenStreamTest, AFailedFrameIsDroppedAndItsDescriptionsCountOnTheNext) {
  Open({Clicked(0, 20, 20)});
  script_->FailNext(1, absl::InternalError("broken"));
  Push({Red(16)});
  EXPECT_EQ(Next<FramesDropped>().reason, DropReason::kEngine);
  EXPECT_THAT(Show({Red(16)}).events,
              ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  script_->FailNext(1, absl::InternalError("broken"));
  session_->UpdatePrompts({.drop = {0}});
  Push({Red(16)});
  EXPECT_EQ(Next<FramesDropped>().reason, DropReason::kEngine);
  EXPECT_THAT(Show({Red(16)}).events, ElementsAre(Pair(0, TrackPhase::kEnded)));
  // A question that fails is told, and nothing else is lost.
  session_->UpdatePrompts({.describe = {Clicked(1, 20, 20)}});
  Show({Red(16)});
  script_->FailNext(1, absl::InternalError("broken"));
  session_->UpdatePrompts({.preview = {Clicked(1, 20, 20)}});
  const auto rejected = Next<PromptRejected>();
  EXPECT_EQ(rejected.prompt_id, "1");
  EXPECT_THAT(rejected.status, StatusIs(absl::StatusCode::kInternal, "broken"));
  EXPECT_THAT(Show({Red(18)}).boxes, SizeIs(1));
}

TEST_F(GivenStreamTest, TheAccountCountsFramesAndNotQuestions) {
  Open({Clicked(0, 20, 20)});
  for (int i = 0; i < 3; ++i) {
    Show({Red(16)});
    session_->UpdatePrompts({.preview = {Clicked(0, 20, 20)}});
    Next<ObjectPreview>();
  }
  EXPECT_THAT(session_->PushFrame({"no picture", std::nullopt}), IsOk());
  session_->UpdatePrompts({.commit = {Clicked(0, 20, 20)}});
  session_->CloseInput();
  // Asked in time, so it is answered before the end.
  const auto summary = Next<StreamSummary>();
  EXPECT_EQ(summary.frames_in, 4);
  EXPECT_EQ(summary.answered, 3);
  EXPECT_EQ(summary.refused, 1);
  EXPECT_THAT(summary.dropped, IsEmpty());
  int committed = 0;
  for (const StreamEvent& event : passed_) {
    const auto* preview = std::get_if<ObjectPreview>(&event);
    if (preview != nullptr && preview->committed) ++committed;
  }
  EXPECT_EQ(committed, 1);
  EXPECT_THAT(*session_->FinalStatus(), IsOk());
}

TEST_F(GivenStreamTest, QuestionsThatNoFrameCanAnswerAreRefusedAtTheEnd) {
  Open({Clicked(0, 20, 20)});
  session_->UpdatePrompts({.preview = {Clicked(0, 20, 20)}});
  session_->CloseInput();
  const auto rejected = Next<PromptRejected>();
  EXPECT_EQ(rejected.prompt_id, "0");
  EXPECT_THAT(rejected.status,
              StatusIs(absl::StatusCode::kNotFound, "has ended before"));
  EXPECT_EQ(Next<StreamSummary>().frames_in, 0);
}

TEST_F(GivenStreamTest, UnreadAnswersHoldInputBack) {
  for (const auto delivery : {FrameDelivery::kEvery, FrameDelivery::kLatest}) {
    Open({Clicked(0, 20, 20)}, {}, delivery);
    Show({Red(16)});
    EXPECT_TRUE(session_->WantsInput());
    for (int i = 0; i < 16; ++i) {
      session_->UpdatePrompts({.preview = {Clicked(0, 20, 20)}});
    }
    EXPECT_FALSE(session_->WantsInput());
    for (int i = 0; i < 16; ++i) Next<ObjectPreview>();
    EXPECT_TRUE(session_->WantsInput());
    session_->Detach();
  }
}

TEST_F(GivenStreamTest, QuestionsAreAnsweredInOrderHoweverMany) {
  Open({Clicked(0, 20, 20), Clicked(1, 20, 20)});
  Show({Red(16), Blue(80)});
  PromptUpdate update;
  for (int i = 0; i < 40; ++i) {
    update.preview.push_back(
        Clicked(i % 2, i % 3 == 0 ? 90.0f : 20.0f, i % 3 == 0 ? 90.0f : 20.0f));
  }
  session_->UpdatePrompts(std::move(update));
  for (int i = 0; i < 40; ++i) {
    const auto shown = Next<ObjectPreview>();
    EXPECT_EQ(shown.instance.object_id, i % 2);
    EXPECT_EQ(shown.instance.box.x0, i % 3 == 0 ? 80 : 16) << i;
  }
}

TEST_F(GivenStreamTest, AConceptStreamHasNoObjectsToSpeakOf) {
  Open({Clicked(0, 20, 20)});
  session_->Detach();
  StreamConfig config;
  ConceptPrompt prompt;
  prompt.prompt_id = "red";
  prompt.tokens = *segmenter_->tokenizer().Tokenize("red");
  config.prompts = {prompt};
  session_ = *segmenter_->OpenStream(
      config,
      std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
      &listener_);
  session_->UpdatePrompts({.describe = {Clicked(0, 1, 1)},
                           .drop = {1},
                           .preview = {Clicked(2, 1, 1)},
                           .commit = {Clicked(3, 1, 1)}});
  for (const char* id : {"1", "0", "2", "3"}) {
    const auto rejected = Next<PromptRejected>();
    EXPECT_EQ(rejected.prompt_id, id);
    EXPECT_EQ(rejected.status.code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(GivenStreamTest, SeveralStreamsShareTheEngine) {
  Open({Clicked(0, 20, 20)});
  StreamConfig config;
  config.track = TrackConfig();
  config.objects = {Clicked(4, 90, 90)};
  WaitingListener listener;
  auto other = *segmenter_->OpenStream(
      config,
      std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
      &listener);
  script_->CloseGate(FakeEngineScript::Step::kEncodeImages);
  for (int i = 0; i < 3; ++i) {
    const std::string png = DrawAreasPng(kSide, kSide, {Red(16), Blue(80)});
    EXPECT_THAT(session_->PushFrame({png, std::nullopt}), IsOk());
    EXPECT_THAT(other->PushFrame({png, std::nullopt}), IsOk());
  }
  script_->OpenGate();
  int results = 0;
  listener.Await([&] {
    while (const auto event = other->TakeOutput()) {
      const auto* result = std::get_if<FrameResult>(&*event);
      if (result == nullptr) continue;
      EXPECT_EQ(result->result.instances.at(0).object_id, 4);
      ++results;
    }
    return results == 3;
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Next<FrameResult>().result.instances.at(0).object_id, 0);
  }
  other->Detach();
}

TEST_F(GivenStreamTest, QuestionsDoNotWaitForOtherStreamsFrames) {
  options_.max_batch_images = 1;
  Open({Clicked(0, 20, 20)});
  Show({Red(16)});
  StreamConfig config;
  config.track = TrackConfig();
  config.objects = {Clicked(4, 90, 90)};
  WaitingListener listener;
  std::vector<std::shared_ptr<StreamSession>> others;
  script_->CloseGate(FakeEngineScript::Step::kEncodeImages);
  for (int i = 0; i < 5; ++i) {
    others.push_back(*segmenter_->OpenStream(
        config,
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
        &listener));
    const std::string png = DrawAreasPng(kSide, kSide, {Blue(80)});
    EXPECT_THAT(others.back()->PushFrame({png, std::nullopt}), IsOk());
  }
  script_->AwaitGateReached();
  const auto await_queued = [&](int jobs) {
    while (segmenter_->capacity().queued_jobs < jobs) {
      std::this_thread::yield();
    }
  };
  await_queued(4);
  session_->UpdatePrompts({.preview = {Clicked(0, 90, 90)}});
  await_queued(5);
  const int64_t encoded = script_->images_encoded;
  script_->SetLatency(
      {absl::ZeroDuration(), absl::Milliseconds(300), absl::ZeroDuration()});
  script_->OpenGate();
  Next<ObjectPreview>();
  // The one that was on the device, the next, and one more for a slow machine.
  EXPECT_LE(script_->images_encoded - encoded, 3);
  script_->SetLatency({});
  for (const auto& other : others) other->Detach();
}

}  // namespace
}  // namespace sam3
