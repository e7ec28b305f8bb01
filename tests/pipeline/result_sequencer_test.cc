#include "pipeline/result_sequencer.h"

#include <gtest/gtest.h>

#include <random>

namespace sam3 {
namespace {

std::vector<FrameResult> ResultOf(int64_t index) {
  FrameResult result;
  result.frame_index = index;
  result.last_in_frame = true;
  return {result};
}

TEST(ResultSequencerTest, ResultsLeaveInFrameOrder) {
  ResultSequencer sequencer;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sequencer.Open(), i);
  EXPECT_TRUE(sequencer.Answer(2, ResultOf(2), 1));
  EXPECT_FALSE(sequencer.Take().has_value());
  EXPECT_TRUE(sequencer.Answer(0, ResultOf(0), 1));
  EXPECT_EQ(std::get<FrameResult>(*sequencer.Take()).frame_index, 0);
  EXPECT_FALSE(sequencer.Take().has_value());
  EXPECT_TRUE(sequencer.Answer(1, ResultOf(1), 1));
  EXPECT_EQ(std::get<FrameResult>(*sequencer.Take()).frame_index, 1);
  EXPECT_EQ(std::get<FrameResult>(*sequencer.Take()).frame_index, 2);
  EXPECT_TRUE(sequencer.empty());
}

TEST(ResultSequencerTest, ATicketIsClosedOnce) {
  ResultSequencer sequencer;
  sequencer.Open();
  EXPECT_TRUE(sequencer.Drop(0, DropReason::kStale));
  EXPECT_FALSE(sequencer.Answer(0, ResultOf(0), 1));
  EXPECT_FALSE(sequencer.Refuse(0, absl::InternalError("")));
  EXPECT_FALSE(sequencer.Drop(7, DropReason::kStale));
}

TEST(ResultSequencerTest, NeighbouringDropsOfOneReasonAreOneRange) {
  ResultSequencer sequencer;
  for (int i = 0; i < 5; ++i) sequencer.Open();
  for (const int i : {0, 1, 2}) sequencer.Drop(i, DropReason::kStale);
  sequencer.Drop(3, DropReason::kEngine);
  sequencer.Drop(4, DropReason::kEngine);
  const auto first = std::get<FramesDropped>(*sequencer.Take());
  EXPECT_EQ(first.first_index, 0);
  EXPECT_EQ(first.last_index, 2);
  const auto second = std::get<FramesDropped>(*sequencer.Take());
  EXPECT_EQ(second.first_index, 3);
  EXPECT_EQ(second.last_index, 4);
  EXPECT_EQ(second.reason, DropReason::kEngine);
}

TEST(ResultSequencerTest, AnnouncementsKeepTheirPlace) {
  ResultSequencer sequencer;
  sequencer.Open();
  sequencer.Announce(PromptsUpdated{1});
  sequencer.Open();
  sequencer.Drop(1, DropReason::kStale);
  EXPECT_FALSE(sequencer.Take().has_value());
  sequencer.Drop(0, DropReason::kStale);
  EXPECT_TRUE(std::holds_alternative<FramesDropped>(*sequencer.Take()));
  EXPECT_TRUE(std::holds_alternative<PromptsUpdated>(*sequencer.Take()));
  EXPECT_TRUE(std::holds_alternative<FramesDropped>(*sequencer.Take()));
}

TEST(ResultSequencerTest, AnUnsentAnswerCanBecomeADrop) {
  ResultSequencer sequencer;
  sequencer.Open();
  sequencer.Open();
  sequencer.Answer(0, ResultOf(0), 100);
  sequencer.Answer(1, ResultOf(1), 50);
  EXPECT_EQ(sequencer.unsent_bytes(), 150u);
  EXPECT_TRUE(sequencer.DropOldestAnswer(DropReason::kSlowConsumer));
  EXPECT_EQ(sequencer.unsent_frames(), 1u);
  EXPECT_EQ(sequencer.unsent_bytes(), 50u);
  EXPECT_EQ(std::get<FramesDropped>(*sequencer.Take()).reason,
            DropReason::kSlowConsumer);
  EXPECT_EQ(std::get<FrameResult>(*sequencer.Take()).frame_index, 1);
  EXPECT_FALSE(sequencer.DropOldestAnswer(DropReason::kSlowConsumer));
}

// frames in = answered + dropped + refused, each exactly once and in order, for
// any order of closing.
TEST(ResultSequencerTest, RandomOrdersAddUp) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    ResultSequencer sequencer;
    std::vector<int64_t> open;
    int64_t next = 0;
    const auto drain = [&] {
      while (const auto event = sequencer.Take()) {
        if (const auto* result = std::get_if<FrameResult>(&*event)) {
          EXPECT_EQ(result->frame_index, next++);
        } else if (const auto* drop = std::get_if<FramesDropped>(&*event)) {
          EXPECT_EQ(drop->first_index, next);
          next = drop->last_index + 1;
        } else if (const auto* refused = std::get_if<FrameRefused>(&*event)) {
          EXPECT_EQ(refused->frame_index, next++);
        }
      }
    };
    const auto close = [&] {
      const size_t pick = random() % open.size();
      const int64_t index = open[pick];
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
      switch (random() % 3) {
        case 0:
          EXPECT_TRUE(sequencer.Answer(index, ResultOf(index), 1));
          break;
        case 1:
          EXPECT_TRUE(sequencer.Drop(index, random() % 2 == 0
                                                ? DropReason::kStale
                                                : DropReason::kEngine));
          break;
        default:
          EXPECT_TRUE(sequencer.Refuse(index, absl::InternalError("x")));
      }
    };
    for (int step = 0; step < 100; ++step) {
      if (random() % 2 == 0) open.push_back(sequencer.Open());
      if (!open.empty() && random() % 2 == 0) close();
      if (random() % 4 == 0) drain();
      if (random() % 16 == 0) {
        sequencer.DropOldestAnswer(DropReason::kSlowConsumer);
      }
    }
    while (!open.empty()) close();
    sequencer.AnnounceSummary();
    drain();
    const StreamSummary& summary = sequencer.summary();
    int64_t dropped = 0;
    for (const auto& [reason, count] : summary.dropped) dropped += count;
    EXPECT_EQ(summary.frames_in, summary.answered + dropped + summary.refused);
    EXPECT_EQ(next, summary.frames_in);
    EXPECT_TRUE(sequencer.empty());
    EXPECT_EQ(sequencer.unsent_frames(), 0u);
    EXPECT_EQ(sequencer.unsent_bytes(), 0u);
  }
}

}  // namespace
}  // namespace sam3
