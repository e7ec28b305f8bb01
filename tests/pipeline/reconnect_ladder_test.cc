// When live sources are connected anew, and what time their pictures get.
#include "pipeline/reconnect_ladder.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "pipeline/connect_pacer.h"
#include "pipeline/media_timeline.h"

namespace sam3 {
namespace {

TEST(ReconnectLadderTest, WaitsGrowStepByStepUpToAMinute) {
  ReconnectLadder ladder;
  std::vector<int> seconds;
  for (int i = 0; i < 23; ++i) {
    seconds.push_back(static_cast<int>(absl::ToInt64Seconds(
        ladder.Next(SourceFailure::kConnection, /*spread=*/0))));
  }
  EXPECT_EQ(seconds,
            (std::vector<int>{1,  1,  1,  1,  1,  5,  5,  5,  5,  5,  10, 10,
                              10, 10, 10, 10, 10, 10, 10, 10, 60, 60, 60}));
  EXPECT_EQ(ladder.attempts(), 23);
  ladder.Reset();
  EXPECT_EQ(ladder.Next(SourceFailure::kTimeout, 0), absl::Seconds(1));
  EXPECT_EQ(ladder.attempts(), 1);
}

TEST(ReconnectLadderTest, WaitsAreSpreadByAFifth) {
  ReconnectLadder ladder;
  EXPECT_EQ(ladder.Next(SourceFailure::kConnection, 1), absl::Seconds(1.2));
  EXPECT_EQ(ladder.Next(SourceFailure::kConnection, -1), absl::Seconds(0.8));
}

TEST(ReconnectLadderTest, AWrongPasswordWaitsAMinuteAtLeast) {
  ReconnectLadder ladder;
  for (const double spread : {-1.0, 0.0, 1.0}) {
    EXPECT_GE(ladder.Next(SourceFailure::kAuth, spread), absl::Minutes(1));
  }
  EXPECT_EQ(ladder.Next(SourceFailure::kConnection, 0), absl::Seconds(1));
}

TEST(ConnectPacerTest, ConnectionsOfAllSourcesAreSpread) {
  ConnectPacer pacer(10);
  const absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(pacer.Reserve(now), now);
  for (int i = 1; i < 50; ++i) {
    EXPECT_EQ(pacer.Reserve(now), now + absl::Milliseconds(100) * i);
  }
  // Nothing is saved up.
  const absl::Time later = now + absl::Minutes(1);
  EXPECT_EQ(pacer.Reserve(later), later);
  EXPECT_EQ(pacer.Reserve(later), later + absl::Milliseconds(100));
}

class MediaTimelineTest : public testing::Test {
 protected:
  // Places a picture that says `offset` and comes `after` the one before.
  MediaTimeline::Place Next(absl::Duration offset, absl::Duration after,
                            bool new_connection = false) {
    now_ += after;
    return timeline_.Next(offset, now_, new_connection);
  }

  MediaTimeline timeline_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(MediaTimelineTest, AGoodClockIsBelievedHoweverPicturesArrive) {
  EXPECT_EQ(Next(absl::Seconds(0), absl::Seconds(0), true).offset,
            absl::ZeroDuration());
  EXPECT_EQ(Next(absl::Milliseconds(40), absl::Milliseconds(90)).offset,
            absl::Milliseconds(40));
  EXPECT_EQ(Next(absl::Milliseconds(80), absl::Milliseconds(1)).offset,
            absl::Milliseconds(80));
}

TEST_F(MediaTimelineTest, AJumpIsReplacedByTheArrivalAndTold) {
  Next(absl::Seconds(0), absl::Seconds(0), true);
  Next(absl::Seconds(1), absl::Seconds(1));
  const auto forward = Next(absl::Hours(5), absl::Seconds(1));
  EXPECT_EQ(forward.offset, absl::Seconds(2));
  EXPECT_TRUE(forward.jumped);
  const auto on = Next(absl::Hours(5) + absl::Seconds(1), absl::Seconds(1));
  EXPECT_EQ(on.offset, absl::Seconds(3));
  EXPECT_FALSE(on.jumped);
  // Also when a counter of 32 bits and 90 kHz wraps around.
  const auto back = Next(-absl::Seconds(47721), absl::Seconds(1));
  EXPECT_EQ(back.offset, absl::Seconds(4));
  EXPECT_TRUE(back.jumped);
}

TEST_F(MediaTimelineTest, AClockThatStandsOrTremblesIsNoGap) {
  Next(absl::Seconds(0), absl::Seconds(0), true);
  absl::Duration last = Next(absl::Seconds(1), absl::Seconds(1)).offset;
  for (const int milliseconds : {1000, 990, 990, 1030, 1010}) {
    const auto place =
        Next(absl::Milliseconds(milliseconds), absl::Milliseconds(1));
    EXPECT_GT(place.offset, last);
    EXPECT_FALSE(place.jumped);
    last = place.offset;
  }
}

TEST_F(MediaTimelineTest, ANewConnectionGoesOnWhereTheClockOnTheWallIs) {
  Next(absl::Seconds(7), absl::Seconds(0), true);
  Next(absl::Seconds(8), absl::Seconds(1));
  const auto again = Next(absl::Seconds(0), absl::Seconds(30), true);
  EXPECT_EQ(again.offset, absl::Seconds(31));
  EXPECT_FALSE(again.jumped);
  EXPECT_EQ(Next(absl::Seconds(1), absl::Seconds(1)).offset, absl::Seconds(32));
}

TEST_F(MediaTimelineTest, AnyClockGivesTimesThatGrow) {
  absl::Duration last = -absl::Seconds(1);
  int64_t said = 1;
  for (int i = 0; i < 2000; ++i) {
    // All over the place, the ends of the number range included.
    said = static_cast<int64_t>(static_cast<uint64_t>(said) *
                                    6364136223846793005u +
                                1442695040888963407u);
    const absl::Duration offset =
        i % 17 == 0   ? absl::Nanoseconds(std::numeric_limits<int64_t>::min())
        : i % 19 == 0 ? absl::Nanoseconds(std::numeric_limits<int64_t>::max())
                      : absl::Nanoseconds(said >> (i % 40));
    const auto place =
        Next(offset, absl::Milliseconds(i % 3), /*new_connection=*/i % 97 == 0);
    ASSERT_GT(place.offset, last) << i;
    last = place.offset;
  }
}

}  // namespace
}  // namespace sam3
