#include "inference/association/track_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sam3 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Events = std::vector<TrackEvent>;

FrameObservations Together(int64_t frame, std::vector<int64_t> ids) {
  FrameObservations seen;
  seen.frame = frame;
  seen.matched_together = {std::move(ids)};
  return seen;
}

FrameObservations Unmatched(int64_t frame, std::vector<int64_t> ids) {
  FrameObservations seen;
  seen.frame = frame;
  seen.unmatched = std::move(ids);
  return seen;
}

TEST(TrackTableTest, IdsAscendFromZeroAndAreNeverReused) {
  TrackTable table({});
  Events events;
  EXPECT_EQ(table.Add(0, 0, 0.9f, &events), 0);
  EXPECT_EQ(table.Add(0, 1, 0.8f, &events), 1);
  table.Remove(1, &events);
  table.Remove(0, &events);
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Add(3, 0, 0.7f, &events), 2);
  EXPECT_THAT(table.ids(), ElementsAre(2));
  EXPECT_FALSE(table.Contains(0));
  EXPECT_EQ(table.at(2).birth_frame, 3);
  EXPECT_EQ(table.at(2).birth_score, 0.7f);
}

TEST(TrackTableTest, RestoredObjectsKeepTheirIdsAndAreNoLongerYoung) {
  AssociationOptions options;
  options.confirmation_delay_frames = 3;
  TrackTable table(options);
  Events events;
  table.Restore(4, 1, 0.9f, TrackPhase::kConfirmed);
  table.Restore(9, 0, 0.8f, TrackPhase::kTentative);
  table.Restore(6, 0, 0.7f, TrackPhase::kLost);
  table.StartIdsAt(12);
  table.StartIdsAt(11);
  EXPECT_THAT(table.ids(), ElementsAre(4, 6, 9));
  EXPECT_EQ(table.at(4).prompt, 1);
  EXPECT_EQ(table.at(4).birth_score, 0.9f);
  EXPECT_EQ(table.at(4).keep_alive, options.keep_alive_initial);
  // Only the tentative one can still be found false, and is on trial anew.
  for (int frame = 0; frame < 8; ++frame) {
    table.Count(Unmatched(frame, {4, 6, 9}));
    if (frame < 3) table.Advance(frame, 9, true, &events);
  }
  EXPECT_THAT(events, IsEmpty());
  EXPECT_THAT(table.FalseInHotstart(7), ElementsAre(9));
  table.Advance(7, 9, true, &events);
  table.Advance(7, 6, true, &events);
  EXPECT_THAT(events, ElementsAre(TrackEvent{9, 0, TrackPhase::kConfirmed},
                                  TrackEvent{6, 0, TrackPhase::kRecovered}));
  EXPECT_EQ(table.Add(8, 0, 0.9f, &events), 12);
}

TEST(TrackTableTest, EightUnmatchedFramesOfFifteenRemove) {
  TrackTable table({});
  Events events;
  table.Add(0, 0, 0.9f, &events);
  for (int frame = 1; frame <= 7; ++frame) table.Count(Unmatched(frame, {0}));
  EXPECT_THAT(table.FalseInHotstart(7), IsEmpty());
  // Not consecutive, and on the last day of youth.
  table.Count(Together(8, {0}));
  table.Count(Unmatched(14, {0}));
  EXPECT_THAT(table.FalseInHotstart(14), ElementsAre(0));
  EXPECT_THAT(table.FalseInHotstart(15), IsEmpty());
}

TEST(TrackTableTest, EightFramesBesideAnElderRemove) {
  TrackTable table({});
  Events events;
  for (const int birth : {0, 0, 2}) table.Add(birth, 0, 0.9f, &events);
  for (int frame = 3; frame <= 9; ++frame) table.Count(Together(frame, {0, 2}));
  EXPECT_THAT(table.FalseInHotstart(9), IsEmpty());
  table.Count(Together(10, {1, 2}));
  EXPECT_THAT(table.FalseInHotstart(10), IsEmpty())
      << "seven frames beside one elder and one beside another";
  table.Count(Together(11, {0, 2}));
  EXPECT_THAT(table.FalseInHotstart(11), ElementsAre(2));
}

TEST(TrackTableTest, OfEqualAgeTheLowestIdIsTheElder) {
  TrackTable table({});
  Events events;
  table.Add(0, 0, 0.9f, &events);
  table.Add(0, 0, 0.9f, &events);
  for (int frame = 1; frame <= 8; ++frame) table.Count(Together(frame, {0, 1}));
  EXPECT_THAT(table.FalseInHotstart(8), ElementsAre(1));
}

TEST(TrackTableTest, DuplicateCountsLeaveWithTheElderAndWithYouth) {
  TrackTable table({});
  Events events;
  table.Add(0, 0, 0.9f, &events);
  table.Add(1, 0, 0.9f, &events);
  table.Add(2, 0, 0.9f, &events);
  table.Count(Together(3, {0, 1, 2}));
  EXPECT_EQ(table.at(2).duplicate_frames.at(0), 1);
  table.Remove(0, &events);
  EXPECT_THAT(table.at(2).duplicate_frames, IsEmpty());
  table.Count(Together(4, {1, 2}));
  EXPECT_EQ(table.at(2).duplicate_frames.at(1), 1);
  table.Count(Together(17, {1, 2}));
  EXPECT_THAT(table.at(2).duplicate_frames, IsEmpty());
}

TEST(TrackTableTest, CountsButRemovesNothingWhereThatIsOff) {
  AssociationOptions options;
  options.remove_in_hotstart = false;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  for (int frame = 1; frame <= 9; ++frame) table.Count(Unmatched(frame, {0}));
  EXPECT_THAT(table.FalseInHotstart(9), IsEmpty());
  EXPECT_EQ(table.at(0).unmatched_frames, 9);
  EXPECT_EQ(table.at(0).keep_alive, 21);
}

TEST(TrackTableTest, KeepAliveStaysWithinItsLimits) {
  AssociationOptions options;
  options.keep_alive_initial = 2;
  options.keep_alive_max = 3;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  for (int frame = 1; frame <= 4; ++frame) table.Count(Together(frame, {0}));
  EXPECT_EQ(table.at(0).keep_alive, 3);
  for (int frame = 5; frame <= 12; ++frame) table.Count(Unmatched(frame, {0}));
  EXPECT_EQ(table.at(0).keep_alive, -1);
}

TEST(TrackTableTest, EmptyFramesCountOnlyIfAsked) {
  for (const bool counts : {false, true}) {
    AssociationOptions options;
    options.keep_alive_counts_empty = counts;
    TrackTable table(options);
    Events events;
    table.Add(0, 0, 0.9f, &events);
    FrameObservations seen;
    seen.frame = 1;
    seen.empty = {0};
    table.Count(seen);
    EXPECT_EQ(table.at(0).keep_alive, counts ? 29 : 30);
    EXPECT_EQ(table.at(0).unmatched_frames, 0);
  }
}

TEST(TrackTableTest, HiddenAtTheEndOfKeepAliveOnlyIfAsked) {
  AssociationOptions options;
  options.keep_alive_initial = 1;
  for (const bool hide : {false, true}) {
    options.hide_at_keep_alive_end = hide;
    TrackTable table(options);
    Events events;
    table.Add(0, 0, 0.9f, &events);
    EXPECT_FALSE(table.Hidden(0));
    table.Count(Unmatched(1, {0}));
    EXPECT_EQ(table.Hidden(0), hide);
  }
}

TEST(TrackTableTest, NeverUnmatchedIsNeverHidden) {
  AssociationOptions options;
  options.keep_alive_initial = 1;
  options.keep_alive_counts_empty = true;
  options.hide_at_keep_alive_end = true;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  FrameObservations seen;
  seen.frame = 1;
  seen.empty = {0};
  table.Count(seen);
  EXPECT_EQ(table.at(0).keep_alive, 0);
  EXPECT_FALSE(table.Hidden(0));
}

TEST(TrackTableTest, PhasesFollowTheDelay) {
  AssociationOptions options;
  options.confirmation_delay_frames = 2;
  TrackTable table(options);
  Events events;
  table.Add(5, 7, 0.9f, &events);
  for (const auto& [frame, visible] : std::vector<std::pair<int, bool>>{
           {6, false}, {7, false}, {8, false}, {9, true}, {10, true}}) {
    EXPECT_FALSE(table.Advance(frame, 0, visible, &events));
  }
  table.Remove(0, &events);
  EXPECT_THAT(events, ElementsAre(TrackEvent{0, 7, TrackPhase::kTentative},
                                  TrackEvent{0, 7, TrackPhase::kConfirmed},
                                  TrackEvent{0, 7, TrackPhase::kLost},
                                  TrackEvent{0, 7, TrackPhase::kRecovered},
                                  TrackEvent{0, 7, TrackPhase::kEnded}));
}

TEST(TrackTableTest, RemovedWhileTentativeIsRetracted) {
  AssociationOptions options;
  options.confirmation_delay_frames = 15;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  EXPECT_FALSE(table.Advance(14, 0, true, &events));
  table.Remove(0, &events);
  EXPECT_THAT(events, ElementsAre(TrackEvent{0, 0, TrackPhase::kTentative},
                                  TrackEvent{0, 0, TrackPhase::kRetracted}));
}

TEST(TrackTableTest, LongUnmatchedIsLostUntilMatchedAgain) {
  AssociationOptions options;
  options.keep_alive_initial = 1;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  table.Count(Unmatched(1, {0}));
  table.Advance(1, 0, true, &events);
  EXPECT_EQ(table.at(0).phase, TrackPhase::kLost);
  table.Count(Together(2, {0}));
  table.Advance(2, 0, true, &events);
  EXPECT_EQ(table.at(0).phase, TrackPhase::kConfirmed);
  EXPECT_EQ(events.back().phase, TrackPhase::kRecovered);
}

TEST(TrackTableTest, EndsAfterConsecutiveLostFrames) {
  AssociationOptions options;
  options.end_after_lost_frames = 3;
  TrackTable table(options);
  Events events;
  table.Add(0, 0, 0.9f, &events);
  for (const bool visible : {false, false, true, false, false}) {
    EXPECT_FALSE(table.Advance(1, 0, visible, &events));
  }
  EXPECT_TRUE(table.Advance(1, 0, false, &events));
}

TEST(TrackTableTest, APromptLeavesWithItsObjects) {
  TrackTable table({});
  Events events;
  for (const int prompt : {4, 5, 4}) table.Add(0, prompt, 0.9f, &events);
  EXPECT_THAT(table.RemovePrompt(4),
              ElementsAre(TrackEvent{0, 4, TrackPhase::kEnded},
                          TrackEvent{2, 4, TrackPhase::kEnded}));
  EXPECT_THAT(table.ids(), ElementsAre(1));
  EXPECT_THAT(table.RemovePrompt(4), IsEmpty());
}

TEST(AssociationOptionsTest, TheDefaultsAreValid) {
  EXPECT_TRUE(ValidateAssociationOptions({}).ok());
}

TEST(AssociationOptionsTest, EveryViolationIsNamed) {
  AssociationOptions options;
  options.birth_score = 1.5f;
  options.hotstart_unmatched_frames = 16;
  options.confirmation_delay_frames = 16;
  options.max_objects = 0;
  options.keep_alive_initial = 31;
  options.fill_hole_area = -1;
  const std::string message(ValidateAssociationOptions(options).message());
  for (const char* field :
       {"birth_score", "hotstart_unmatched_frames", "max_objects",
        "confirmation_delay_frames", "keep_alive_initial", "fill_hole_area"}) {
    EXPECT_THAT(message, HasSubstr(field));
  }
  EXPECT_THAT(message, ::testing::Not(HasSubstr("match_overlap")));
}

}  // namespace
}  // namespace sam3
