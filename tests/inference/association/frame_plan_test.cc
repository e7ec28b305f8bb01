#include "inference/association/frame_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <vector>

#include "tests/inference/association/stripes.h"

namespace sam3 {
namespace {

using test::Logits;
using test::Stripe;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Phase = TrackPhase;

// One frame, put together piece by piece.
class FrameBuilder {
 public:
  explicit FrameBuilder(int64_t frame) { input_.frame = frame; }

  FrameBuilder& Detect(float score, Logits logits, int prompt = 0) {
    input_.detections.push_back({prompt, score, Keep(std::move(logits))});
    return *this;
  }
  FrameBuilder& Propagate(int64_t id, Logits logits, float object_score = 5) {
    input_.tracks.push_back({id, object_score, Keep(std::move(logits))});
    return *this;
  }
  FrameBuilder& WithoutDetector() {
    input_.detected = false;
    return *this;
  }
  FrameBuilder& TakeNothingNew() {
    input_.takes_new = false;
    return *this;
  }
  FramePlan Plan(TrackTable* table) const { return PlanFrame(input_, table); }

 private:
  absl::Span<const float> Keep(Logits logits) {
    kept_.push_back(std::move(logits));
    return kept_.back();
  }

  FrameInput input_;
  std::deque<Logits> kept_;
};

std::vector<int64_t> OutputIds(const FramePlan& plan) {
  std::vector<int64_t> ids;
  for (const ObjectOutput& output : plan.outputs) ids.push_back(output.id);
  return ids;
}

// Two objects of one prompt, born on frame 0 side by side.
void TwoBirths(TrackTable* table) {
  FrameBuilder(0)
      .Detect(0.9f, Stripe(0, 100))
      .Detect(0.8f, Stripe(200, 300))
      .Plan(table);
}

TEST(PlanFrameTest, NothingComesOfNothing) {
  TrackTable table({});
  const FramePlan plan = FrameBuilder(0).Plan(&table);
  EXPECT_THAT(plan.outputs, IsEmpty());
  EXPECT_THAT(plan.events, IsEmpty());
  EXPECT_THAT(plan.memory, IsEmpty());
}

TEST(PlanFrameTest, BirthsInTheOrderOfDetectionsByTheirInputIndex) {
  TrackTable table({});
  const FramePlan plan = FrameBuilder(0)
                             .Detect(0.4f, Stripe(300, 350), 3)
                             .Detect(0.6f, Stripe(0, 100), 3)
                             .Detect(0.7f, Stripe(0, 90), 3)
                             .Detect(0.9f, Stripe(0, 100), 1)
                             .Plan(&table);
  EXPECT_THAT(plan.births,
              ElementsAre(ObjectDetection{0, 2}, ObjectDetection{1, 3}));
  EXPECT_THAT(plan.events, ElementsAre(TrackEvent{0, 3, Phase::kConfirmed},
                                       TrackEvent{1, 1, Phase::kConfirmed}));
  ASSERT_EQ(plan.outputs.size(), 2u);
  EXPECT_EQ(plan.outputs[1].id, 1);
  EXPECT_EQ(plan.outputs[1].prompt, 1);
  EXPECT_EQ(plan.outputs[1].score, 0.9f);
  EXPECT_EQ(plan.outputs[1].overlap_score, 0.9f);
  EXPECT_EQ(plan.outputs[1].source, MaskSource::kFilledDetection);
  EXPECT_EQ(plan.outputs[1].detection, 3);
  EXPECT_THAT(plan.memory, IsEmpty());
}

TEST(PlanFrameTest, ABirthWithoutAMaskIsNotShown) {
  TrackTable table({});
  const FramePlan plan =
      FrameBuilder(0).Detect(0.9f, Stripe(0, 0)).Plan(&table);
  EXPECT_EQ(plan.births.size(), 1u);
  EXPECT_THAT(plan.outputs, IsEmpty());
}

TEST(PlanFrameTest, WithoutDetectionsTracksGoOn) {
  TrackTable table({});
  TwoBirths(&table);
  const FramePlan plan = FrameBuilder(1)
                             .Propagate(0, Stripe(0, 100), 2)
                             .Propagate(1, Stripe(200, 300))
                             .Plan(&table);
  EXPECT_THAT(OutputIds(plan), ElementsAre(0, 1));
  EXPECT_EQ(plan.outputs[0].source, MaskSource::kTrack);
  EXPECT_EQ(plan.outputs[0].detection, -1);
  EXPECT_EQ(plan.outputs[0].score, 0.9f);
  EXPECT_NEAR(plan.outputs[0].overlap_score, 1 / (1 + std::exp(-2.0f)), 1e-6);
  EXPECT_THAT(plan.memory,
              ElementsAre(MemoryWrite{0, MemoryMask::kWhole, true},
                          MemoryWrite{1, MemoryMask::kWhole, true}));
  EXPECT_EQ(table.at(0).unmatched_frames, 1);
}

TEST(PlanFrameTest, WithoutADetectorNobodyIsDoubted) {
  TrackTable table({});
  TwoBirths(&table);
  for (int frame = 1; frame <= 12; ++frame) {
    const FramePlan plan = FrameBuilder(frame)
                               .Propagate(0, Stripe(0, 100))
                               .Propagate(1, Stripe(200, 300))
                               .WithoutDetector()
                               .Plan(&table);
    EXPECT_THAT(OutputIds(plan), ElementsAre(0, 1));
    EXPECT_EQ(plan.memory.size(), 2u);
    EXPECT_THAT(plan.removals, IsEmpty());
  }
  EXPECT_EQ(table.at(0).unmatched_frames, 0);
  EXPECT_EQ(table.at(0).keep_alive, table.options().keep_alive_initial);
}

// Both tracks lie on one detection; returns the events of each frame from 1 on.
std::vector<std::vector<TrackEvent>> MergeForFrames(
    int frames, const AssociationOptions& options) {
  TrackTable table(options);
  TwoBirths(&table);
  std::vector<std::vector<TrackEvent>> events;
  for (int frame = 1; frame <= frames; ++frame) {
    FrameBuilder builder(frame);
    builder.Detect(0.9f, Stripe(0, 100)).Propagate(0, Stripe(0, 100));
    if (table.Contains(1)) builder.Propagate(1, Stripe(0, 60));
    events.push_back(builder.Plan(&table).events);
  }
  return events;
}

TEST(PlanFrameTest, TwoTracksOnOneDetectionForEightFrames) {
  const auto events = MergeForFrames(9, {});
  for (int i = 0; i < 7; ++i) EXPECT_THAT(events[i], IsEmpty()) << i;
  EXPECT_THAT(events[7], ElementsAre(TrackEvent{1, 0, Phase::kEnded}));
  EXPECT_THAT(events[8], IsEmpty());
}

TEST(PlanFrameTest, ATentativeDuplicateIsRetracted) {
  AssociationOptions options;
  options.confirmation_delay_frames = 8;
  EXPECT_THAT(MergeForFrames(8, options)[7],
              ElementsAre(TrackEvent{0, 0, Phase::kConfirmed},
                          TrackEvent{1, 0, Phase::kRetracted}));
}

TEST(PlanFrameTest, FrameByFrameTheReferenceKeepsDuplicates) {
  AssociationOptions options;
  options.remove_in_hotstart = false;
  for (const auto& events : MergeForFrames(20, options)) {
    EXPECT_THAT(events, IsEmpty());
  }
}

TEST(PlanFrameTest, TwentyEmptyFramesAndBack) {
  TrackTable table({});
  FrameBuilder(0).Detect(0.9f, Stripe(0, 100)).Plan(&table);
  for (int frame = 1; frame <= 20; ++frame) {
    const FramePlan plan =
        FrameBuilder(frame).Propagate(0, Stripe(0, 0), -3).Plan(&table);
    EXPECT_THAT(plan.outputs, IsEmpty());
    EXPECT_THAT(plan.removals, IsEmpty());
    EXPECT_THAT(plan.memory,
                ElementsAre(MemoryWrite{0, MemoryMask::kWhole, false}));
    EXPECT_EQ(plan.events.size(), frame == 1 ? 1u : 0u);
    EXPECT_EQ(table.at(0).phase, Phase::kLost);
  }
  EXPECT_EQ(table.at(0).keep_alive, 30);
  EXPECT_EQ(table.at(0).unmatched_frames, 0);
  EXPECT_EQ(table.at(0).last_occluded_frame, 20);
  const FramePlan plan = FrameBuilder(21)
                             .Detect(0.9f, Stripe(300, 400))
                             .Propagate(0, Stripe(300, 400))
                             .Plan(&table);
  EXPECT_THAT(plan.events, ElementsAre(TrackEvent{0, 0, Phase::kRecovered}));
  EXPECT_THAT(plan.births, IsEmpty());
  EXPECT_THAT(OutputIds(plan), ElementsAre(0));
}

TEST(PlanFrameTest, ALostObjectEndsWhereThatIsAskedFor) {
  AssociationOptions options;
  options.end_after_lost_frames = 2;
  TrackTable table(options);
  TwoBirths(&table);
  for (int frame = 1; frame <= 2; ++frame) {
    const FramePlan plan = FrameBuilder(frame)
                               .Propagate(0, Stripe(0, 0))
                               .Propagate(1, Stripe(200, 300))
                               .Plan(&table);
    if (frame == 1) continue;
    EXPECT_THAT(plan.removals, ElementsAre(0));
    EXPECT_THAT(plan.events, ElementsAre(TrackEvent{0, 0, Phase::kEnded}));
    EXPECT_THAT(plan.memory,
                ElementsAre(MemoryWrite{1, MemoryMask::kWhole, true}));
  }
}

TEST(PlanFrameTest, ARemovalOnTheFrameOfABirthShiftsNobody) {
  TrackTable table({});
  TwoBirths(&table);
  for (int frame = 1; frame <= 7; ++frame) {
    FrameBuilder(frame)
        .Detect(0.9f, Stripe(200, 300))
        .Propagate(0, Stripe(0, 100))
        .Propagate(1, Stripe(200, 300))
        .Plan(&table);
  }
  const FramePlan plan = FrameBuilder(8)
                             .Detect(0.9f, Stripe(200, 300))
                             .Detect(0.8f, Stripe(320, 400))
                             .Propagate(0, Stripe(0, 100), 1)
                             .Propagate(1, Stripe(200, 300), 2)
                             .Plan(&table);
  EXPECT_THAT(plan.removals, ElementsAre(0));
  EXPECT_THAT(plan.births, ElementsAre(ObjectDetection{2, 1}));
  EXPECT_THAT(plan.memory,
              ElementsAre(MemoryWrite{1, MemoryMask::kWhole, true}));
  EXPECT_THAT(OutputIds(plan), ElementsAre(1, 2));
  EXPECT_NEAR(plan.outputs[0].overlap_score, 1 / (1 + std::exp(-2.0f)), 1e-6);
  EXPECT_THAT(plan.events, ElementsAre(TrackEvent{0, 0, Phase::kEnded},
                                       TrackEvent{2, 0, Phase::kConfirmed}));
}

TEST(PlanFrameTest, TheCapCountsWhatIsTracked) {
  AssociationOptions options;
  options.max_objects = 3;
  TrackTable table(options);
  TwoBirths(&table);
  const FramePlan plan = FrameBuilder(1)
                             .Detect(0.8f, Stripe(110, 120))
                             .Detect(0.9f, Stripe(130, 140), 1)
                             .Detect(0.9f, Stripe(150, 160))
                             .Propagate(0, Stripe(0, 100))
                             .Propagate(1, Stripe(200, 300))
                             .Plan(&table);
  EXPECT_THAT(plan.births, ElementsAre(ObjectDetection{2, 1}));
  EXPECT_EQ(plan.births_beyond_cap, 2);
}

TEST(PlanFrameTest, NothingNewIsTakenWhereThereIsNoRoom) {
  TrackTable table({});
  TwoBirths(&table);
  const FramePlan plan = FrameBuilder(1)
                             .Detect(0.8f, Stripe(0, 100))
                             .Detect(0.9f, Stripe(150, 160))
                             .Propagate(0, Stripe(0, 100))
                             .Propagate(1, Stripe(200, 300))
                             .TakeNothingNew()
                             .Plan(&table);
  EXPECT_THAT(plan.births, IsEmpty());
  EXPECT_EQ(plan.births_beyond_cap, 1);
}

// Track 0 is confirmed by detection 1 on this frame; its object score is given.
FramePlan Confirm(int64_t frame, float object_score,
                  const AssociationOptions& options) {
  TrackTable table(options);
  TwoBirths(&table);
  return FrameBuilder(frame)
      .Detect(0.3f, Stripe(0, 100))
      .Detect(0.9f, Stripe(0, 95))
      .Propagate(0, Stripe(0, 100), object_score)
      .Propagate(1, Stripe(200, 300))
      .Plan(&table);
}

TEST(PlanFrameTest, ReconditionsOnEverySixteenthFrame) {
  const FramePlan plan = Confirm(16, 0.9f, {});
  EXPECT_THAT(plan.reconditioned, ElementsAre(ObjectDetection{0, 1}));
  EXPECT_EQ(plan.outputs[0].source, MaskSource::kDetection);
  EXPECT_EQ(plan.outputs[0].detection, 1);
  EXPECT_EQ(plan.outputs[1].source, MaskSource::kTrack);
  EXPECT_THAT(Confirm(15, 0.9f, {}).reconditioned, IsEmpty());
  EXPECT_THAT(Confirm(17, 0.9f, {}).reconditioned, IsEmpty());
}

TEST(PlanFrameTest, ReconditioningNeedsAGreaterLogit) {
  EXPECT_THAT(Confirm(16, 0.8f, {}).reconditioned, IsEmpty());
  EXPECT_THAT(Confirm(16, NAN, {}).reconditioned, IsEmpty());
}

TEST(PlanFrameTest, ReconditioningByPromptShowsTheTrackersMask) {
  AssociationOptions options;
  options.recondition_source = ReconditionSource::kDetectionPrompt;
  const FramePlan plan = Confirm(16, 0.9f, options);
  EXPECT_THAT(plan.reconditioned, ElementsAre(ObjectDetection{0, 1}));
  EXPECT_EQ(plan.outputs[0].source, MaskSource::kTrack);
  options.recondition_period_frames = 0;
  EXPECT_THAT(Confirm(16, 0.9f, options).reconditioned, IsEmpty());
}

TEST(PlanFrameTest, OfTwoOnTopOfEachOtherTheOneLaterOccludedIsSuppressed) {
  TrackTable table({});
  TwoBirths(&table);
  for (const int hidden : {0, 1}) {
    FrameBuilder(1 + hidden)
        .Propagate(0, Stripe(0, hidden == 0 ? 0 : 100))
        .Propagate(1, Stripe(200, hidden == 1 ? 200 : 300))
        .Plan(&table);
  }
  const FramePlan plan = FrameBuilder(3)
                             .Propagate(0, Stripe(0, 100, 1))
                             .Propagate(1, Stripe(0, 100, 9))
                             .Plan(&table);
  EXPECT_THAT(plan.suppressed, ElementsAre(1));
  EXPECT_THAT(OutputIds(plan), ElementsAre(0));
  EXPECT_THAT(plan.memory,
              ElementsAre(MemoryWrite{0, MemoryMask::kWhole, true},
                          MemoryWrite{1, MemoryMask::kAbsent, false}))
      << "what is suppressed takes no pixels from others";
  EXPECT_EQ(table.at(0).last_occluded_frame, 1);
  EXPECT_EQ(table.at(1).last_occluded_frame, 3);
}

TEST(PlanFrameTest, WhatIsRemovedAtItsFirstPropagationTakesNoPixels) {
  AssociationOptions options;
  options.hotstart_unmatched_frames = 1;
  TrackTable table(options);
  FrameBuilder(0).Detect(0.9f, Stripe(0, 100)).Plan(&table);
  FrameBuilder(1).Propagate(0, Stripe(0, 0)).Plan(&table);
  FrameBuilder(2)
      .Detect(0.9f, Stripe(0, 100))
      .Detect(0.9f, Stripe(200, 300))
      .Propagate(0, Stripe(0, 100))
      .Plan(&table);
  const FramePlan plan = FrameBuilder(3)
                             .Detect(0.9f, Stripe(48, 100))
                             .Propagate(0, Stripe(0, 100, 1))
                             .Propagate(1, Stripe(0, 72, 9))
                             .Plan(&table);
  EXPECT_THAT(plan.removals, ElementsAre(1));
  EXPECT_THAT(plan.suppressed, IsEmpty());
  EXPECT_THAT(plan.memory,
              ElementsAre(MemoryWrite{0, MemoryMask::kWhole, true}));
}

TEST(PlanFrameTest, AMaskThatLosesItsPixelsIsClampedInMemoryOnly) {
  TrackTable table({});
  TwoBirths(&table);
  const FramePlan plan = FrameBuilder(1)
                             .Propagate(0, Stripe(0, 100, 1))
                             .Propagate(1, Stripe(20, 200, 2))
                             .Plan(&table);
  EXPECT_THAT(plan.memory,
              ElementsAre(MemoryWrite{0, MemoryMask::kClamped, false},
                          MemoryWrite{1, MemoryMask::kWhole, true}));
  EXPECT_THAT(OutputIds(plan), ElementsAre(0, 1));
}

TEST(PlanFrameTest, TentativeObjectsAreMarked) {
  AssociationOptions options;
  options.confirmation_delay_frames = 1;
  TrackTable table(options);
  const FramePlan first =
      FrameBuilder(0).Detect(0.9f, Stripe(0, 100)).Plan(&table);
  EXPECT_EQ(first.outputs[0].phase, Phase::kTentative);
  const FramePlan second =
      FrameBuilder(1).Propagate(0, Stripe(0, 100)).Plan(&table);
  EXPECT_EQ(second.outputs[0].phase, Phase::kConfirmed);
}

}  // namespace
}  // namespace sam3
