// Streams that follow objects, on the fake engine: ids, states and prompts that
// come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "inference/fake_engine.h"
#include "pipeline/error_reason.h"
#include "pipeline/segmenter_factory.h"
#include "pipeline/track_encoder.h"
#include "pipeline/track_options.h"
#include "tests/support/eventually.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"
#include "tests/support/waiting_listener.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// What one frame told of one prompt.
struct Told {
  std::map<int64_t, TrackPhase> objects;
  std::vector<std::pair<int64_t, TrackPhase>> events;
  bool tracked_only = false;
  int not_taken = 0;
};

class TrackTest : public testing::Test {
 protected:
  ~TrackTest() override {
    if (session_ != nullptr) session_->Detach();
  }

  void Open(TrackConfig track, const std::vector<std::string>& texts) {
    auto segmenter =
        CreateSegmenter(MakeFakeModel(script_), options_, clock_, metrics_);
    ASSERT_THAT(segmenter, IsOk());
    segmenter_ = *std::move(segmenter);
    StreamConfig config;
    config.track = track;
    for (const std::string& text : texts) {
      config.prompts.push_back(Prompt(text));
    }
    auto session = segmenter_->OpenStream(
        config,
        std::make_shared<RequestContext>("id", "", absl::InfiniteFuture()),
        &listener_);
    ASSERT_THAT(session, IsOk());
    session_ = *std::move(session);
    EXPECT_TRUE(std::holds_alternative<StreamStarted>(*Next()));
  }

  ConceptPrompt Prompt(const std::string& text) {
    ConceptPrompt prompt;
    prompt.prompt_id = text;
    prompt.text = text;
    prompt.tokens = *segmenter_->tokenizer().Tokenize(text);
    return prompt;
  }

  std::optional<StreamEvent> Next() {
    std::optional<StreamEvent> event;
    listener_.Await([&] {
      event = session_->TakeOutput();
      return event.has_value() || session_->FinalStatus().has_value();
    });
    return event;
  }

  // Sends one frame and reads everything that it is told; by prompt id.
  std::map<std::string, Told> Show(const std::vector<ColouredArea>& areas) {
    EXPECT_THAT(
        session_->PushFrame({DrawAreasPng(128, 128, areas), std::nullopt}),
        IsOk());
    std::map<std::string, Told> told;
    while (const auto event = Next()) {
      const auto* result = std::get_if<FrameResult>(&*event);
      if (result == nullptr) continue;
      Told& of_prompt = told[result->result.prompt_id];
      of_prompt.tracked_only = result->tracked_only;
      of_prompt.not_taken = result->objects_not_taken;
      for (const Instance& instance : result->result.instances) {
        EXPECT_TRUE(instance.object_id.has_value());
        EXPECT_GT(instance.area, 0);
        of_prompt.objects[*instance.object_id] = instance.phase;
      }
      for (const TrackEvent& change : result->object_events) {
        of_prompt.events.emplace_back(change.id, change.phase);
      }
      if (result->last_in_frame) break;
    }
    return told;
  }

  static ColouredArea Red(int x, int y = 16) { return {"red", x, y, 24, 24}; }

  SegmenterOptions options_;
  RealClock clock_;
  PipelineMetrics metrics_;
  const std::shared_ptr<FakeEngineScript> script_ =
      std::make_shared<FakeEngineScript>();
  WaitingListener listener_;
  std::unique_ptr<Segmenter> segmenter_;
  std::shared_ptr<StreamSession> session_;
};

TEST_F(TrackTest, AnObjectKeepsItsNumberWhileItMoves) {
  Open({}, {"red"});
  for (int i = 0; i < 20; ++i) {
    const Told told = Show({Red(4 * i)})["red"];
    EXPECT_THAT(told.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
    EXPECT_EQ(told.events.size(), i == 0 ? 1u : 0u);
  }
  // A second one gets the next number, also of another prompt's; the first
  // keeps its own.
  const Told two = Show({Red(80), Red(16, 90)})["red"];
  EXPECT_THAT(two.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed),
                                       Pair(1, TrackPhase::kConfirmed)));
  EXPECT_THAT(two.events, ElementsAre(Pair(1, TrackPhase::kConfirmed)));
  EXPECT_EQ(script_->frames_tracked, 21);
}

TEST_F(TrackTest, AShapeNeedNotFillTheCornersOfItsBox) {
  Open({}, {"red"});
  for (int i = 0; i < 3; ++i) {
    const Told told =
        Show({{"red", 40, 16, 24, 24}, {"red", 16, 40, 48, 24}})["red"];
    EXPECT_THAT(told.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  }
}

TEST_F(TrackTest, WithoutMemoryForMoreObjectsKnownOnesGoOn) {
  options_.max_tracked_bytes = 1;
  Open({}, {"red"});
  EXPECT_EQ(Show({Red(40)})["red"].not_taken, 0);
  EXPECT_EQ(metrics_.tracked_objects.value(), 1);
  EXPECT_GT(metrics_.tracked_bytes.value(), 0);
  const Told told = Show({Red(44), Red(16, 90)})["red"];
  EXPECT_THAT(told.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  EXPECT_EQ(told.not_taken, 1);
  // Nor does another stream begin, until there is room.
  StreamConfig config;
  config.track.emplace();
  config.prompts.push_back(Prompt("red"));
  const auto context =
      std::make_shared<RequestContext>("id", "", absl::InfiniteFuture());
  WaitingListener listener;
  const auto refused = segmenter_->OpenStream(config, context, &listener);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "the 1 objects that streams follow"));
  EXPECT_EQ(ReasonOf(refused.status()), reason::kOverloaded);
  session_->Detach();
  session_.reset();
  EXPECT_TRUE(Eventually([&] { return metrics_.tracked_bytes.value() == 0; }));
  EXPECT_EQ(metrics_.tracked_objects.value(), 0);
  const auto taken = segmenter_->OpenStream(config, context, &listener);
  ASSERT_THAT(taken, IsOk());
  (*taken)->Detach();
}

TEST_F(TrackTest, WhatIsHiddenIsLostAndComesBackAsItself) {
  Open({}, {"red"});
  Show({Red(40)});
  const Told gone = Show({})["red"];
  EXPECT_THAT(gone.objects, IsEmpty());
  EXPECT_THAT(gone.events, ElementsAre(Pair(0, TrackPhase::kLost)));
  for (int i = 0; i < 10; ++i) EXPECT_THAT(Show({})["red"].events, IsEmpty());
  const Told back = Show({Red(44)})["red"];
  EXPECT_THAT(back.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  EXPECT_THAT(back.events, ElementsAre(Pair(0, TrackPhase::kRecovered)));
}

TEST_F(TrackTest, PromptsComeAndGoAndTakeTheirObjectsAlong) {
  Open({}, {"red"});
  const ColouredArea blue = {"blue", 80, 80, 24, 24};
  Show({Red(16), blue});
  session_->UpdatePrompts({{Prompt("blue")}, {}});
  auto told = Show({Red(18), blue});
  EXPECT_THAT(told["red"].objects,
              ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  EXPECT_THAT(told["blue"].objects,
              ElementsAre(Pair(1, TrackPhase::kConfirmed)));
  session_->UpdatePrompts({{}, {"red"}});
  told = Show({Red(20), blue});
  EXPECT_EQ(told.size(), 1u);
  EXPECT_THAT(told["blue"].objects,
              ElementsAre(Pair(1, TrackPhase::kConfirmed)));
  EXPECT_THAT(told["blue"].events, ElementsAre(Pair(0, TrackPhase::kEnded)));
  // The prompt's return is a new one: numbers are never used again.
  session_->UpdatePrompts({{Prompt("red")}, {}});
  told = Show({Red(22), blue});
  EXPECT_THAT(told["red"].objects,
              ElementsAre(Pair(2, TrackPhase::kConfirmed)));
}

TEST_F(TrackTest, BetweenDetectionsObjectsAreOnlyFollowed) {
  Open({.detect_every = 4}, {"red"});
  const int64_t warm_up = script_->pairs_grounded;
  for (int i = 0; i < 9; ++i) {
    const Told told = Show({Red(4 * i), Red(16, 90)})["red"];
    EXPECT_EQ(told.objects.size(), 2u);
    EXPECT_EQ(told.tracked_only, i % 4 != 0) << i;
  }
  EXPECT_EQ(script_->pairs_grounded - warm_up, 3);
  EXPECT_EQ(script_->frames_tracked, 9);
  // One that comes in between is born when the detector runs again.
  for (int i = 1; i <= 4; ++i) {
    const Told told = Show({Red(32), Red(16, 90), Red(90, 90)})["red"];
    EXPECT_EQ(told.objects.size(), i < 4 ? 2u : 3u);
  }
  // A new prompt does not wait.
  session_->UpdatePrompts({{Prompt("blue")}, {}});
  const auto told = Show({Red(32), {"blue", 80, 16, 24, 24}});
  EXPECT_EQ(told.at("blue").objects.size(), 1u);
  EXPECT_FALSE(told.at("blue").tracked_only);
}

TEST_F(TrackTest, AConfirmationDelayKeepsNewObjectsInQuestion) {
  Open({.confirmation_delay_frames = 4}, {"red"});
  EXPECT_THAT(Show({Red(16)})["red"].objects,
              ElementsAre(Pair(0, TrackPhase::kTentative)));
  for (int i = 1; i < 4; ++i) {
    EXPECT_THAT(Show({Red(16 + i)})["red"].objects,
                ElementsAre(Pair(0, TrackPhase::kTentative)))
        << i;
  }
  const Told told = Show({Red(20)})["red"];
  EXPECT_THAT(told.objects, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
  EXPECT_THAT(told.events, ElementsAre(Pair(0, TrackPhase::kConfirmed)));
}

TEST_F(TrackTest, AFailedBatchCostsAFrameAndNoNumber) {
  Open({}, {"red"});
  Show({Red(16)});
  script_->FailNext(1, absl::InternalError("broken"));
  EXPECT_THAT(
      session_->PushFrame({DrawAreasPng(128, 128, {Red(18)}), std::nullopt}),
      IsOk());
  const auto dropped = std::get<FramesDropped>(*Next());
  EXPECT_EQ(dropped.reason, DropReason::kEngine);
  EXPECT_THAT(Show({Red(20)})["red"].objects,
              ElementsAre(Pair(0, TrackPhase::kConfirmed)));
}

TEST_F(TrackTest, AtMostSoManyAreFollowed) {
  Open({.max_objects = 2}, {"red"});
  const auto told = Show({Red(4, 4), Red(60, 4), Red(4, 60), Red(60, 60)});
  EXPECT_EQ(told.at("red").objects.size(), 2u);
}

// A mask of ones in columns [x0, x1) of a 4 x 4 grid.
TrackedInstance Columns(int64_t id, int x0, int x1, float overlap_score) {
  TrackedInstance object{id, TrackPhase::kConfirmed, 0.9f, overlap_score, {}};
  object.mask = {4, 4, std::vector<float>(16, -5.0f), 0.0f};
  for (int y = 0; y < 4; ++y) {
    for (int x = x0; x < x1; ++x) {
      object.mask.values[static_cast<size_t>(4 * y + x)] = 5.0f;
    }
  }
  return object;
}

TEST(TrackEncoderTest, EveryPixelIsOneObjects) {
  TrackedFrame tracked;
  tracked.objects = {{Columns(0, 0, 3, 0.5f), Columns(1, 1, 4, 0.8f)},
                     {Columns(2, 0, 4, 0.1f)}};
  const std::vector<ConceptPrompt> prompts(2);
  const std::vector<Detections> detections(2);
  const auto results = EncodeTracks(prompts, detections, tracked, {}, 4, 4);
  ASSERT_THAT(results, IsOk());
  const std::vector<Instance>& first = (*results)[0].instances;
  EXPECT_EQ(first[0].object_id, 0);
  EXPECT_EQ(first[0].area, 4);  // the first column alone
  EXPECT_EQ(first[1].area, 12);
  // The box is the whole mask's.
  EXPECT_EQ(first[0].box.x1, 3);
  // Other prompts compete among themselves.
  EXPECT_EQ((*results)[1].instances[0].area, 16);
}

TEST(TrackOptionsTest, AreValidForEveryDelay) {
  for (int delay = 0; delay <= 15; ++delay) {
    for (int every = 1; every <= 16; ++every) {
      const AssociationOptions options = MakeAssociationOptions(
          {.confirmation_delay_frames = delay, .detect_every = every});
      EXPECT_THAT(ValidateAssociationOptions(options), IsOk()) << delay;
      EXPECT_EQ(options.remove_in_hotstart, delay > 0);
    }
  }
}

}  // namespace
}  // namespace sam3
