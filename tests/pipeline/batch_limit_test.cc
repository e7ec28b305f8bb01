#include "pipeline/batch_limit.h"

#include <gtest/gtest.h>

namespace sam3 {
namespace {

// Jobs of a batch once it follows a device of such costs.
int SettlesAt(BatchLimit& limit, absl::Duration a_batch, absl::Duration a_job) {
  int least = 1000;
  for (int batch = 0; batch < 100; ++batch) {
    const int jobs = limit.jobs();
    limit.BatchDone(jobs, a_batch + jobs * a_job);
    if (batch >= 50) least = std::min(least, jobs);
  }
  return least;
}

TEST(BatchLimitTest, FollowsWhatBatchesTake) {
  BatchLimit limit(8, absl::Milliseconds(100));
  EXPECT_EQ(limit.jobs(), 8);
  EXPECT_EQ(SettlesAt(limit, absl::ZeroDuration(), absl::Milliseconds(22)), 4);
  // Fixed costs are shared by as many as can be.
  EXPECT_EQ(SettlesAt(limit, absl::Milliseconds(50), absl::Milliseconds(1)), 8);
  EXPECT_EQ(SettlesAt(limit, absl::ZeroDuration(), absl::Milliseconds(60)), 1);
  EXPECT_EQ(SettlesAt(limit, absl::ZeroDuration(), absl::Seconds(20)), 1);
  EXPECT_EQ(SettlesAt(limit, absl::ZeroDuration(), absl::Milliseconds(1)), 8);
}

TEST(BatchLimitTest, OnlyFullBatchesTellThatThereIsRoom) {
  BatchLimit limit(8, absl::Milliseconds(100));
  limit.BatchDone(8, absl::Milliseconds(200));
  ASSERT_EQ(limit.jobs(), 4);
  for (int i = 0; i < 10; ++i) limit.BatchDone(3, absl::Milliseconds(1));
  EXPECT_EQ(limit.jobs(), 4);
  // One that was never larger than the limit does not raise it.
  limit.BatchDone(8, absl::Milliseconds(110));
  EXPECT_EQ(limit.jobs(), 4);
}

TEST(BatchLimitTest, WithoutATargetItStaysWhereItIs) {
  BatchLimit limit(8, absl::InfiniteDuration());
  limit.BatchDone(8, absl::Hours(1));
  EXPECT_EQ(limit.jobs(), 8);
}

}  // namespace
}  // namespace sam3
