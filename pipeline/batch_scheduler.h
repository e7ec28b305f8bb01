#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/batch_limit.h"
#include "pipeline/fair_turns.h"
#include "pipeline/job.h"
#include "pipeline/metrics.h"

namespace sam3 {

// Decides what the device does next.
//
// It is a guarded object without a thread: the device thread pulls a batch when
// it is free, so a batch is formed at the last moment, never waits for company,
// and is as large as what happens to wait.
//
// Order. Jobs wait in lanes: one lane per stream, and per tenant one for stills
// and one for clicks on pictures that are encoded already, be they stills or a
// stream's newest. Tenants take turns, and so do the lanes of each (FairTurns);
// inside a lane the oldest deadline goes first (a job without deadline counts
// as due `Options::patience` after it came). Frames and stills share batches;
// a stream gives at most one frame to one. A batch is full when the next job
// would exceed the picture or the pair budget, or when more would take too long
// (BatchLimit); a job that alone exceeds a budget is run alone. Every other
// time it is also full when all in it are the last of their tenants' and the
// next is of one that always has some: whoever asks for one thing now and then
// is not held up by more of what others have no end of.
//
// Clicks are quick and somebody looks at the screen, so they get batches of
// their own and those go first, but not twice in a row while others wait.
//
// Latency bound. With B batches of service time S ahead of it, a job waits at
// most (B + 1) * S: for the head of a lane B is at most 4 * ceil(tenants *
// lanes of its kind in its tenant / half a batch), a 2 for batches of clicks,
// which take a fraction of S, and a 2 for those that are full early; for the
// oldest click of a tenant B is 1. S is at most `Options::batch_time` or the
// time of one job.
//
// Admission. Stills and clicks on them are bounded by count and bytes; beyond
// them Schedule() says RESOURCE_EXHAUSTED (OVERLOADED) with the delay after
// which trying again makes sense. What streams ask for is bounded by their
// sessions (a fixed number of turns a stream) and are always admitted.
//
// Expiry. A job whose deadline passes is handed out by AwaitExpired() at that
// moment, so its slot is free and its client is told although the device may be
// busy; a batch never contains an expired or cancelled job.
//
// Threads: any; Schedule() never blocks; NextBatch() is for the device thread
// and AwaitExpired() for one more thread. Nobody is called while the lock is
// held.
class BatchScheduler {
 public:
  struct Options {
    // Stills that may wait. A multiple of the batch size; more only adds
    // latency.
    int max_queued_jobs = 256;
    // Host memory of waiting stills.
    size_t max_queued_bytes = size_t{2} << 30;
    // Budgets of a batch.
    int max_batch_images = 8;
    int max_batch_pairs = 32;
    // What a batch may take where its jobs can be run in several.
    absl::Duration batch_time = absl::InfiniteDuration();
    // When a job without deadline becomes as urgent as one with.
    absl::Duration patience = absl::Seconds(10);
  };

  struct Batch {
    std::vector<std::unique_ptr<Job>> jobs;
    // When each of `jobs` was scheduled.
    std::vector<absl::Time> scheduled_at;
    // Expired or cancelled; to be finished with what their context says.
    std::vector<std::unique_ptr<Job>> dropped;
    // No further batch will ever come.
    bool closed = false;
  };

  // `clock` and `metrics` must outlive the scheduler.
  BatchScheduler(const Options& options, Clock& clock,
                 PipelineMetrics& metrics);
  ~BatchScheduler();

  // Takes the job if and only if the answer is OK; otherwise `job` is left as
  // it was. RESOURCE_EXHAUSTED when full, the status of Close() afterwards.
  absl::Status Schedule(std::unique_ptr<Job>&& job);

  // Blocks until there is a job to run or to drop, or Close().
  Batch NextBatch();
  // The same, but returns an empty batch instead of blocking.
  Batch TryNextBatch();

  // Blocks until deadlines pass and hands out the jobs concerned; empty only
  // after Close().
  std::vector<std::unique_ptr<Job>> AwaitExpired();

  // Before the first batch: what a job of one picture took.
  void ExpectCost(absl::Duration job);

  // Tells how long the batch that was handed out last took, for the estimates
  // of retry delays and the size of the next ones.
  void BatchDone(int job_count, absl::Duration busy);

  // Refuses all further jobs with `why` and hands out what still waits.
  std::vector<std::unique_ptr<Job>> Close(absl::Status why);

  int queued_jobs() const;

  // What a stream's frame took of late, everything that is done with it; zero
  // when nothing is known.
  absl::Duration frame_cost() const;

 private:
  struct Entry {
    std::unique_ptr<Job> job;
    absl::Time scheduled_at;
  };
  // Urgency, then order of arrival.
  using Position = std::pair<absl::Time, uint64_t>;
  using Lane = std::map<Position, Entry>;
  struct Expiry {
    absl::Time deadline;
    LaneKey lane;
    Position position;
    bool operator<(const Expiry& other) const {
      return std::tie(deadline, position) <
             std::tie(other.deadline, other.position);
    }
  };

  absl::Status Admit(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration RetryDelay() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FairTurns& TurnsOf(bool clicks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return clicks ? click_turns_ : other_turns_;
  }
  std::unique_ptr<Job> Remove(const LaneKey& key, Position position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeUnwanted(absl::Time now, std::vector<std::unique_ptr<Job>>* out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillBatch(absl::Time now, Batch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishDepth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ExpiryMoved() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Clock& clock_;
  PipelineMetrics& metrics_;

  mutable absl::Mutex mutex_;
  std::map<LaneKey, Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  // Lanes with work.
  FairTurns click_turns_ ABSL_GUARDED_BY(mutex_);
  FairTurns other_turns_ ABSL_GUARDED_BY(mutex_);
  // Of the last batch: whether it was one of clicks, whether it had frames.
  bool clicks_served_ ABSL_GUARDED_BY(mutex_) = false;
  bool frames_served_ ABSL_GUARDED_BY(mutex_) = false;
  // Whether the last batch without clicks left out who always has work.
  bool cut_short_ ABSL_GUARDED_BY(mutex_) = false;
  BatchLimit click_limit_ ABSL_GUARDED_BY(mutex_);
  BatchLimit other_limit_ ABSL_GUARDED_BY(mutex_);
  std::set<Expiry> expiries_ ABSL_GUARDED_BY(mutex_);
  // What AwaitExpired() currently waits for.
  absl::Time armed_for_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // Jobs that Schedule() found unwanted while it looked for room.
  std::vector<std::unique_ptr<Job>> unwanted_ ABSL_GUARDED_BY(mutex_);
  int jobs_ ABSL_GUARDED_BY(mutex_) = 0;
  int stills_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t still_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_arrival_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time device_free_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Duration job_cost_ ABSL_GUARDED_BY(mutex_);
  absl::Duration frame_cost_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status close_reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
