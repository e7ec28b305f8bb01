// When pictures are due that come in bursts.
#include "pipeline/media/picture_pacer.h"

#include <gtest/gtest.h>

namespace sam3 {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(40);

class PicturePacerTest : public testing::Test {
 protected:
  // Waits for the picture at `offset`, which is there already; how long.
  absl::Duration Wait(absl::Duration offset, bool begins = false) {
    const absl::Time due = pacer_.Due(offset, begins, now_);
    const absl::Duration wait = due > now_ ? due - now_ : absl::ZeroDuration();
    now_ += wait;
    return wait;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  PicturePacer pacer_;
};

TEST_F(PicturePacerTest, ABurstIsSpreadOut) {
  EXPECT_EQ(Wait(absl::Seconds(3)), absl::ZeroDuration());
  for (int i = 1; i < 100; ++i) {
    EXPECT_EQ(Wait(absl::Seconds(3) + i * kStep), kStep) << i;
  }
}

TEST_F(PicturePacerTest, LostTimeIsMadeUpFor) {
  Wait(absl::ZeroDuration());
  now_ += 10 * kStep;
  for (int i = 1; i <= 10; ++i) {
    EXPECT_EQ(Wait(i * kStep), absl::ZeroDuration()) << i;
  }
  EXPECT_EQ(Wait(11 * kStep), kStep);
  // Not after an outage, when what was lost does not come any more.
  now_ += absl::Minutes(1);
  EXPECT_EQ(Wait(12 * kStep), absl::ZeroDuration());
  EXPECT_EQ(Wait(13 * kStep), kStep);
}

TEST_F(PicturePacerTest, ASourceThatBeginsAnewIsDueAtOnce) {
  Wait(absl::Hours(1));
  EXPECT_EQ(Wait(absl::Seconds(1), /*begins=*/true), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Seconds(1) + kStep), kStep);
  EXPECT_EQ(Wait(absl::Seconds(9), /*begins=*/true), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Seconds(9) + kStep), kStep);
}

TEST_F(PicturePacerTest, ClocksThatJumpHoldNothingUp) {
  Wait(absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Hours(26)), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Hours(26) + kStep), kStep);
  EXPECT_EQ(Wait(absl::Seconds(2)), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Seconds(2) + kStep), kStep);
  now_ -= absl::Hours(1);
  EXPECT_EQ(Wait(absl::Seconds(2) + 2 * kStep), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Seconds(2) + 3 * kStep), kStep);
}

}  // namespace
}  // namespace sam3
