#include "pipeline/batch_scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "pipeline/error_reason.h"
#include "tests/pipeline/fake_jobs.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

class BatchSchedulerTest : public testing::Test {
 protected:
  BatchScheduler& Make(BatchScheduler::Options options = {}) {
    scheduler_ = std::make_unique<BatchScheduler>(options, clock_, metrics_);
    return *scheduler_;
  }

  std::shared_ptr<RequestContext> Context(
      const std::string& tenant = "",
      absl::Duration timeout = absl::InfiniteDuration()) {
    return std::make_shared<RequestContext>("id", tenant,
                                            clock_.Now() + timeout);
  }

  absl::Status Add(std::shared_ptr<RequestContext> context,
                   Job::Facts facts = {}) {
    outcomes_.push_back(std::make_shared<JobOutcome>());
    std::unique_ptr<Job> job = std::make_unique<RecordedJob>(
        std::move(context), facts, outcomes_.back());
    const Job* raw = job.get();
    const absl::Status status = scheduler_->Schedule(std::move(job));
    // Taken if and only if the answer is OK.
    EXPECT_EQ(status.ok(), job == nullptr);
    if (status.ok()) order_.push_back(raw);
    return status;
  }

  // Positions, in order of arrival, of a batch's jobs.
  std::vector<int> Taken(const BatchScheduler::Batch& batch) const {
    std::vector<int> positions;
    for (const auto& job : batch.jobs) {
      // The last one: what is gone may have been in the same place.
      positions.push_back(static_cast<int>(
          std::find(order_.rbegin(), order_.rend(), job.get()).base() -
          order_.begin() - 1));
    }
    return positions;
  }

  FakeClock clock_;
  PipelineMetrics metrics_;
  std::unique_ptr<BatchScheduler> scheduler_;
  std::vector<std::shared_ptr<JobOutcome>> outcomes_;
  std::vector<const Job*> order_;
};

TEST_F(BatchSchedulerTest, BatchIsFullAtItsPictureBudget) {
  BatchScheduler& scheduler = Make({.max_batch_images = 2});
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Add(Context()), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 1}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{2}));
  EXPECT_TRUE(scheduler.TryNextBatch().jobs.empty());
}

TEST_F(BatchSchedulerTest, BatchIsFullAtItsPairBudget) {
  BatchScheduler& scheduler = Make({.max_batch_pairs = 10});
  for (const int pairs : {4, 4, 4}) {
    ASSERT_THAT(Add(Context(), {.pair_count = pairs}), IsOk());
  }
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 1}));
}

TEST_F(BatchSchedulerTest, BatchIsFullWhereMoreWouldTakeTooLong) {
  const Job::Facts click{.image_count = 0, .is_click = true};
  BatchScheduler& scheduler = Make({.batch_time = absl::Milliseconds(100)});
  for (int i = 0; i < 12; ++i) ASSERT_THAT(Add(Context()), IsOk());
  EXPECT_EQ(scheduler.TryNextBatch().jobs.size(), 8u);
  scheduler.BatchDone(8, absl::Milliseconds(240));
  EXPECT_EQ(scheduler.TryNextBatch().jobs.size(), 3u);
  // Clicks have costs of their own.
  for (int i = 0; i < 9; ++i) ASSERT_THAT(Add(Context(), click), IsOk());
  EXPECT_EQ(scheduler.TryNextBatch().jobs.size(), 9u);
  scheduler.BatchDone(9, absl::Milliseconds(180));
  EXPECT_EQ(scheduler.TryNextBatch().jobs.size(), 1u);
  for (int i = 0; i < 9; ++i) ASSERT_THAT(Add(Context(), click), IsOk());
  EXPECT_EQ(scheduler.TryNextBatch().jobs.size(), 5u);
}

TEST_F(BatchSchedulerTest, AJobBeyondTheBudgetRunsAlone) {
  BatchScheduler& scheduler = Make({.max_batch_pairs = 4});
  ASSERT_THAT(Add(Context(), {.pair_count = 16}), IsOk());
  ASSERT_THAT(Add(Context(), {.pair_count = 1}), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{1}));
}

TEST_F(BatchSchedulerTest, OldestDeadlineGoesFirst) {
  BatchScheduler& scheduler = Make({.max_batch_images = 1});
  ASSERT_THAT(Add(Context("", absl::Seconds(9))), IsOk());
  ASSERT_THAT(Add(Context("", absl::Seconds(3))), IsOk());
  ASSERT_THAT(Add(Context("", absl::Seconds(6))), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{1}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{2}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0}));
}

TEST_F(BatchSchedulerTest, TenantsTakeTurns) {
  BatchScheduler& scheduler = Make({.max_batch_images = 2});
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Add(Context("busy")), IsOk());
  ASSERT_THAT(Add(Context("quiet")), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 3}));
}

TEST_F(BatchSchedulerTest, WhoComesNowAndThenWaitsForNothingOfWhoNeverEnds) {
  BatchScheduler& scheduler = Make({.max_batch_images = 4});
  for (int i = 0; i < 12; ++i) ASSERT_THAT(Add(Context("busy")), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 1, 2, 3}));
  ASSERT_THAT(Add(Context("a")), IsOk());
  ASSERT_THAT(Add(Context("b")), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{12, 13}));
  // Not twice in a row, whatever clicks there are.
  ASSERT_THAT(Add(Context("c"), {.image_count = 0, .is_click = true}), IsOk());
  ASSERT_THAT(Add(Context("c")), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{14}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{15, 4, 5, 6}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{7, 8, 9, 10}));
  // Whoever has more waiting does not come now and then.
  for (int i = 0; i < 2; ++i) ASSERT_THAT(Add(Context("d")), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{16, 11, 17}));
}

TEST_F(BatchSchedulerTest, AStreamGivesOneFrameToABatch) {
  BatchScheduler& scheduler = Make();
  for (const uint64_t stream : {7, 7, 8}) {
    ASSERT_THAT(Add(Context(), {.stream_id = stream}), IsOk());
  }
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 2}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{1}));
}

TEST_F(BatchSchedulerTest, ManyStreamsOfATenantGetNoMoreThanOneOfAnother) {
  BatchScheduler& scheduler = Make({.max_batch_images = 2});
  for (const uint64_t stream : {1, 2, 3, 4}) {
    ASSERT_THAT(Add(Context("busy"), {.stream_id = stream}), IsOk());
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(Add(Context("quiet"), {.stream_id = 5}), IsOk());
  }
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 4}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{1, 5}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{2, 3}));
}

TEST_F(BatchSchedulerTest, ClicksGoFirstAndByThemselves) {
  const Job::Facts click{.image_count = 0, .is_click = true};
  BatchScheduler& scheduler = Make({.max_batch_images = 2});
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Add(Context("busy")), IsOk());
  ASSERT_THAT(Add(Context(), {.stream_id = 7}), IsOk());
  for (int i = 0; i < 2; ++i) ASSERT_THAT(Add(Context("busy"), click), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{4, 5}));
  // Others are not kept waiting for more of them.
  ASSERT_THAT(Add(Context("busy"), click), IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{0, 3}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{6}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{1, 2}));
  // A stream's clicks are no frames, and as good as others.
  ASSERT_THAT(Add(Context(), {.stream_id = 7}), IsOk());
  ASSERT_THAT(
      Add(Context(), {.stream_id = 7, .image_count = 0, .is_click = true}),
      IsOk());
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{8}));
  EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{7}));
  // Where nobody else waits, one batch of clicks follows another.
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(Add(Context(), click), IsOk());
    EXPECT_EQ(Taken(scheduler.TryNextBatch()), (std::vector<int>{9 + i}));
  }
}

TEST_F(BatchSchedulerTest, ExpiredAndCancelledJobsAreHandedOutUnrun) {
  BatchScheduler& scheduler = Make();
  ASSERT_THAT(Add(Context("", absl::Seconds(1))), IsOk());
  const auto cancelled = Context();
  ASSERT_THAT(Add(cancelled), IsOk());
  ASSERT_THAT(Add(Context()), IsOk());
  cancelled->Cancel();
  clock_.Advance(absl::Seconds(2));
  const BatchScheduler::Batch batch = scheduler.TryNextBatch();
  EXPECT_EQ(batch.dropped.size(), 2u);
  EXPECT_EQ(Taken(batch), (std::vector<int>{2}));
}

TEST_F(BatchSchedulerTest, DeadlinesAreToldWhileTheDeviceIsBusy) {
  BatchScheduler& scheduler = Make();
  ASSERT_THAT(Add(Context("", absl::Seconds(5))), IsOk());
  std::vector<std::unique_ptr<Job>> expired;
  std::thread waiter([&] { expired = scheduler.AwaitExpired(); });
  clock_.Advance(absl::Seconds(6));
  waiter.join();
  EXPECT_EQ(expired.size(), 1u);
  EXPECT_EQ(scheduler.queued_jobs(), 0);
}

TEST_F(BatchSchedulerTest, FullQueuesRefuseWithADelay) {
  Make({.max_queued_jobs = 2});
  ASSERT_THAT(Add(Context("a")), IsOk());
  ASSERT_THAT(Add(Context("b"), {.image_count = 0, .is_click = true}), IsOk());
  const absl::Status full = Add(Context("c"));
  EXPECT_THAT(full,
              StatusIs(absl::StatusCode::kResourceExhausted, "2 pictures"));
  EXPECT_EQ(ReasonOf(full), reason::kOverloaded);
  EXPECT_TRUE(RetryAfterOf(full).has_value());
  // Frames are bounded by their streams instead.
  EXPECT_THAT(Add(Context("c"), {.stream_id = 1}), IsOk());
}

TEST_F(BatchSchedulerTest, JobsOfClientsThatLeftMakeRoom) {
  Make({.max_queued_jobs = 1});
  const auto context = Context();
  ASSERT_THAT(Add(context), IsOk());
  context->Cancel();
  EXPECT_THAT(Add(Context()), IsOk());
}

TEST_F(BatchSchedulerTest, CloseHandsOutTheRestAndRefuses) {
  BatchScheduler& scheduler = Make();
  ASSERT_THAT(Add(Context()), IsOk());
  EXPECT_EQ(scheduler.Close(absl::UnavailableError("bye")).size(), 1u);
  EXPECT_THAT(Add(Context()), StatusIs(absl::StatusCode::kUnavailable, "bye"));
  EXPECT_TRUE(scheduler.NextBatch().closed);
  EXPECT_TRUE(scheduler.AwaitExpired().empty());
}

// Whatever the order of calls, every job that was taken comes out exactly once,
// no batch exceeds its budgets, and no stream gives it two frames.
TEST_F(BatchSchedulerTest, RandomSchedulesLoseNothing) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    BatchScheduler& scheduler =
        Make({.max_queued_jobs = 20, .max_batch_images = 3});
    std::set<const Job*> inside;
    std::vector<std::shared_ptr<RequestContext>> contexts;
    const auto take = [&](const std::vector<std::unique_ptr<Job>>& jobs) {
      for (const auto& job : jobs) EXPECT_EQ(inside.erase(job.get()), 1u);
    };
    for (int step = 0; step < 200; ++step) {
      switch (random() % 5) {
        case 0:
        case 1: {
          const bool first = random() % 2 == 0;
          // A stream is one tenant's.
          const uint64_t stream =
              random() % 3 == 0 ? 0 : random() % 2 + (first ? 1 : 3);
          contexts.push_back(Context(
              first ? "a" : "b", random() % 3 == 0 ? absl::Seconds(random() % 5)
                                                   : absl::InfiniteDuration()));
          if (Add(contexts.back(),
                  {.stream_id = stream, .is_click = random() % 2 == 0})
                  .ok()) {
            inside.insert(order_.back());
          }
          break;
        }
        case 2: {
          const BatchScheduler::Batch batch = scheduler.TryNextBatch();
          EXPECT_LE(batch.jobs.size(), 3u);
          std::set<uint64_t> streams;
          for (const auto& job : batch.jobs) {
            EXPECT_THAT(job->context().StillWanted(clock_.Now()), IsOk());
            const uint64_t stream = job->facts().stream_id;
            if (stream != 0 && !job->facts().is_click) {
              EXPECT_TRUE(streams.insert(stream).second);
            }
          }
          take(batch.jobs);
          take(batch.dropped);
          break;
        }
        case 3:
          clock_.Advance(absl::Milliseconds(random() % 1000));
          break;
        default:
          if (!contexts.empty()) contexts[random() % contexts.size()]->Cancel();
      }
    }
    take(scheduler.Close(absl::UnavailableError("end")));
    const BatchScheduler::Batch last = scheduler.TryNextBatch();
    take(last.dropped);
    EXPECT_TRUE(inside.empty());
  }
}

}  // namespace
}  // namespace sam3
