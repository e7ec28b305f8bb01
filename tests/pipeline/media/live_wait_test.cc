// How long a source may be silent, on a clock that the test moves.
#include "pipeline/media/live_wait.h"

#include <gmock/gmock.h>

#include "pipeline/source_failure.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

class LiveWaitTest : public testing::Test {
 protected:
  absl::Status After(absl::Duration silence) {
    clock_.Advance(silence);
    return wait_.Check();
  }

  FakeClock clock_;
  const LiveLimits limits_;
  const RequestContext context_{"", "", absl::InfiniteFuture()};
  int stalls_ = 0;
  LiveWait wait_{limits_, context_, clock_, [this] { ++stalls_; }};
};

TEST_F(LiveWaitTest, AStallIsToldOnceAndBeforeItsTimeIsOver) {
  const absl::Duration slice = absl::Milliseconds(LiveWait::kSliceMilliseconds);
  EXPECT_THAT(After(0.9 * limits_.stall_after), IsOk());
  EXPECT_EQ(stalls_, 0);
  // The last look before the time is over, and some of it is left to tell.
  EXPECT_THAT(After(0.1 * limits_.stall_after - 2 * slice), IsOk());
  EXPECT_EQ(stalls_, 1);
  EXPECT_THAT(After(absl::Seconds(1)), IsOk());
  EXPECT_EQ(stalls_, 1);
  wait_.Restart();
  EXPECT_THAT(After(limits_.stall_after), IsOk());
  EXPECT_EQ(stalls_, 2);
}

TEST_F(LiveWaitTest, PicturesThatAreFarApartAreNoStall) {
  const absl::Duration interval = absl::Seconds(5);
  wait_.SetPictureInterval(interval);
  EXPECT_THAT(After(1.8 * interval), IsOk());
  EXPECT_EQ(stalls_, 0);
  EXPECT_THAT(After(0.15 * interval), IsOk());
  EXPECT_EQ(stalls_, 1);
  EXPECT_EQ(SourceFailureOf(After(0.05 * interval)), SourceFailure::kTimeout);
}

TEST_F(LiveWaitTest, SilenceIsGivenUp) {
  EXPECT_THAT(After(limits_.give_up_after - absl::Milliseconds(1)), IsOk());
  EXPECT_EQ(SourceFailureOf(After(absl::Milliseconds(1))),
            SourceFailure::kTimeout);
}

}  // namespace
}  // namespace sam3
