#include "pipeline/batch_scheduler.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr absl::Duration kShortestRetry = absl::Milliseconds(20);
constexpr absl::Duration kLongestRetry = absl::Seconds(30);

LaneKey LaneOf(const Job& job) {
  const Job::Facts& facts = job.facts();
  LaneKey key;
  key.kind = facts.is_click         ? LaneKey::Kind::kClick
             : facts.stream_id != 0 ? LaneKey::Kind::kStream
                                    : LaneKey::Kind::kStill;
  key.tenant = job.context().tenant();
  if (key.kind == LaneKey::Kind::kStream) key.stream_id = facts.stream_id;
  return key;
}

// A mean of what was measured of late.
void Follow(absl::Duration measured, absl::Duration* mean) {
  *mean =
      *mean == absl::ZeroDuration() ? measured : *mean * 0.8 + measured * 0.2;
}

// A job has a picture or at least one prompt, as a rule.
int MostJobs(const BatchScheduler::Options& options) {
  return std::max(options.max_batch_images, options.max_batch_pairs);
}

}  // namespace

BatchScheduler::BatchScheduler(const Options& options, Clock& clock,
                               PipelineMetrics& metrics)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      click_limit_(MostJobs(options), options.batch_time),
      other_limit_(MostJobs(options), options.batch_time) {}

BatchScheduler::~BatchScheduler() = default;

absl::Status BatchScheduler::Schedule(std::unique_ptr<Job>&& job) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (closed_) return close_reason_;
  SAM3_RETURN_IF_ERROR(job->context().StillWanted(now));
  SAM3_RETURN_IF_ERROR(Admit(*job));

  const Job::Facts& facts = job->facts();
  const bool is_still = facts.stream_id == 0;
  const LaneKey key = LaneOf(*job);
  const absl::Time deadline = job->context().deadline();
  // Frames are ordered by arrival: the stream's deadline is the same for all.
  const absl::Time due = key.kind == LaneKey::Kind::kStream
                             ? now
                             : std::min(deadline, now + options_.patience);
  const Position position(due, next_arrival_++);

  const auto [lane, is_new] = lanes_.try_emplace(key);
  if (is_new) TurnsOf(facts.is_click).Add(key);
  if (deadline != absl::InfiniteFuture()) {
    expiries_.insert(Expiry{deadline, key, position});
  }
  ++jobs_;
  if (is_still) {
    ++stills_;
    still_bytes_ += facts.size_bytes;
  }
  lane->second.emplace(position, Entry{std::move(job), now});
  PublishDepth();
  return absl::OkStatus();
}

absl::Status BatchScheduler::Admit(const Job& job) {
  const Job::Facts& facts = job.facts();
  if (facts.stream_id != 0) return absl::OkStatus();
  const auto full = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                        mutex_) -> std::optional<std::string> {
    if (stills_ >= options_.max_queued_jobs) {
      return absl::StrCat(stills_, " pictures wait for the device");
    }
    if (still_bytes_ + facts.size_bytes > options_.max_queued_bytes &&
        stills_ > 0) {
      return absl::StrCat("waiting pictures hold ", still_bytes_, " bytes");
    }
    return std::nullopt;
  };
  std::optional<std::string> why = full();
  if (!why.has_value()) return absl::OkStatus();
  // Those who left make room before anybody is refused; the device thread
  // finishes them, since nobody may be called from here.
  TakeUnwanted(clock_.Now(), &unwanted_);
  why = full();
  if (!why.has_value()) return absl::OkStatus();
  return WithRetryAfter(WithReason(absl::ResourceExhaustedError(absl::StrCat(
                                       "overloaded: ", *why, "; try again in ",
                                       absl::FormatDuration(RetryDelay()))),
                                   reason::kOverloaded),
                        RetryDelay());
}

absl::Duration BatchScheduler::RetryDelay() const {
  // Half of what waits will be gone by then: early enough to keep the device
  // busy, late enough to be admitted.
  const absl::Duration delay = job_cost_ * jobs_ / 2;
  return std::clamp(delay, kShortestRetry, kLongestRetry);
}

void BatchScheduler::BatchDone(int job_count, absl::Duration busy) {
  if (job_count == 0) return;
  absl::MutexLock lock(&mutex_);
  (clicks_served_ ? click_limit_ : other_limit_).BatchDone(job_count, busy);
  const absl::Duration cost = busy / job_count;
  Follow(cost, &job_cost_);
  if (frames_served_) Follow(cost, &frame_cost_);
}

void BatchScheduler::ExpectCost(absl::Duration job) {
  absl::MutexLock lock(&mutex_);
  other_limit_.BatchDone(1, job);
  job_cost_ = frame_cost_ = job;
}

absl::Duration BatchScheduler::frame_cost() const {
  absl::MutexLock lock(&mutex_);
  return frame_cost_;
}

std::unique_ptr<Job> BatchScheduler::Remove(const LaneKey& key,
                                            Position position) {
  const auto lane = lanes_.find(key);
  const auto entry = lane->second.find(position);
  std::unique_ptr<Job> job = std::move(entry->second.job);
  lane->second.erase(entry);
  if (lane->second.empty()) {
    TurnsOf(key.kind == LaneKey::Kind::kClick).Erase(key);
    lanes_.erase(lane);
  }
  expiries_.erase(Expiry{job->context().deadline(), key, position});
  --jobs_;
  if (job->facts().stream_id == 0) {
    --stills_;
    still_bytes_ -= job->facts().size_bytes;
  }
  return job;
}

void BatchScheduler::TakeUnwanted(absl::Time now,
                                  std::vector<std::unique_ptr<Job>>* out) {
  std::vector<std::pair<LaneKey, Position>> unwanted;
  for (const auto& [key, lane] : lanes_) {
    for (const auto& [position, entry] : lane) {
      if (!entry.job->context().StillWanted(now).ok()) {
        unwanted.emplace_back(key, position);
      }
    }
  }
  for (const auto& [key, position] : unwanted) {
    out->push_back(Remove(key, position));
  }
}

void BatchScheduler::FillBatch(absl::Time now, Batch* batch) {
  const bool clicks =
      !click_turns_.empty() && (!clicks_served_ || other_turns_.empty());
  FairTurns& turns = TurnsOf(clicks);
  const auto most =
      static_cast<size_t>((clicks ? click_limit_ : other_limit_).jobs());
  frames_served_ = false;
  int images = 0;
  int pairs = 0;
  // Lanes of streams that gave their frame; back into the ring afterwards.
  std::vector<LaneKey> served;
  // Of those whose jobs are in the batch.
  bool none_stays = true;
  const bool may_be_short = !clicks && !cut_short_;
  if (!clicks) cut_short_ = false;
  while (!turns.empty()) {
    const LaneKey key = turns.front();
    Lane& lane = lanes_.find(key)->second;
    const auto& [position, entry] = *lane.begin();
    const Job::Facts& facts = entry.job->facts();
    if (!batch->jobs.empty() &&
        (batch->jobs.size() >= most ||
         images + facts.image_count > options_.max_batch_images ||
         pairs + facts.pair_count > options_.max_batch_pairs)) {
      break;
    }
    if (!batch->jobs.empty() && may_be_short && none_stays &&
        turns.front_stayed()) {
      cut_short_ = true;
      break;
    }
    images += facts.image_count;
    pairs += facts.pair_count;
    batch->scheduled_at.push_back(entry.scheduled_at);
    metrics_.scheduling_delay_seconds.Observe(
        now - std::max(entry.scheduled_at, device_free_at_));
    turns.Advance();
    if (key.kind == LaneKey::Kind::kStream && lane.size() > 1) {
      turns.Erase(key);
      served.push_back(key);
      none_stays = false;
    }
    batch->jobs.push_back(Remove(key, Position(position)));
    none_stays &= !turns.HasWork(key.tenant);
    frames_served_ |= key.kind == LaneKey::Kind::kStream;
  }
  for (const LaneKey& key : served) turns.Add(key, /*stayed=*/true);
  clicks_served_ = clicks;
}

BatchScheduler::Batch BatchScheduler::TakeBatch() {
  const absl::Time now = clock_.Now();
  Batch batch;
  batch.dropped.swap(unwanted_);
  TakeUnwanted(now, &batch.dropped);
  FillBatch(now, &batch);
  batch.closed = closed_;
  PublishDepth();
  return batch;
}

BatchScheduler::Batch BatchScheduler::NextBatch() {
  absl::MutexLock lock(&mutex_);
  device_free_at_ = clock_.Now();
  clock_.AwaitWithDeadline(&mutex_,
                           absl::Condition(this, &BatchScheduler::HasWork),
                           absl::InfiniteFuture());
  return TakeBatch();
}

BatchScheduler::Batch BatchScheduler::TryNextBatch() {
  absl::MutexLock lock(&mutex_);
  device_free_at_ = clock_.Now();
  return TakeBatch();
}

std::vector<std::unique_ptr<Job>> BatchScheduler::AwaitExpired() {
  absl::MutexLock lock(&mutex_);
  std::vector<std::unique_ptr<Job>> expired;
  while (!closed_) {
    const absl::Time now = clock_.Now();
    while (!expiries_.empty() && expiries_.begin()->deadline <= now) {
      const Expiry expiry = *expiries_.begin();
      expired.push_back(Remove(expiry.lane, expiry.position));
    }
    if (!expired.empty()) break;
    armed_for_ = expiries_.empty() ? absl::InfiniteFuture()
                                   : expiries_.begin()->deadline;
    clock_.AwaitWithDeadline(
        &mutex_, absl::Condition(this, &BatchScheduler::ExpiryMoved),
        armed_for_);
  }
  PublishDepth();
  return expired;
}

std::vector<std::unique_ptr<Job>> BatchScheduler::Close(absl::Status why) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::unique_ptr<Job>> left;
  left.swap(unwanted_);
  if (!closed_) {
    closed_ = true;
    close_reason_ = std::move(why);
  }
  while (!lanes_.empty()) {
    const auto lane = lanes_.begin();
    left.push_back(
        Remove(LaneKey(lane->first), Position(lane->second.begin()->first)));
  }
  PublishDepth();
  return left;
}

bool BatchScheduler::HasWork() const {
  return closed_ || jobs_ > 0 || !unwanted_.empty();
}

bool BatchScheduler::ExpiryMoved() const {
  return closed_ ||
         (!expiries_.empty() && expiries_.begin()->deadline < armed_for_);
}

void BatchScheduler::PublishDepth() {
  metrics_.queued_jobs.Set(jobs_);
  metrics_.queued_bytes.Set(static_cast<int64_t>(still_bytes_));
}

int BatchScheduler::queued_jobs() const {
  absl::MutexLock lock(&mutex_);
  return jobs_;
}

}  // namespace sam3
