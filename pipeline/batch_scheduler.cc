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

}  // namespace

BatchScheduler::BatchScheduler(const Options& options, Clock& clock,
                               PipelineMetrics& metrics)
    : options_(options), clock_(clock), metrics_(metrics) {}

BatchScheduler::~BatchScheduler() = default;

absl::Status BatchScheduler::Schedule(std::unique_ptr<Job>&& job) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  if (closed_) return close_reason_;
  SAM3_RETURN_IF_ERROR(job->context().StillWanted(now));
  SAM3_RETURN_IF_ERROR(Admit(*job));

  const Job::Facts& facts = job->facts();
  const bool is_still = facts.stream_id == 0;
  LaneKey key;
  key.stream_id = facts.stream_id;
  if (is_still) key.tenant = job->context().tenant();
  const absl::Time deadline = job->context().deadline();
  // Frames are ordered by arrival: the stream's deadline is the same for all.
  const absl::Time due =
      is_still ? std::min(deadline, now + options_.patience) : now;
  const Position position(due, next_arrival_++);

  const auto [lane, is_new] = lanes_.try_emplace(key);
  if (is_new) {
    Ring& ring = RingOf(key);
    lane->second.turn = ring.insert(ring.end(), key);
  }
  if (deadline != absl::InfiniteFuture()) {
    expiries_.insert(Expiry{deadline, key, position});
  }
  ++jobs_;
  if (is_still) {
    ++stills_;
    still_bytes_ += facts.size_bytes;
  }
  lane->second.entries.emplace(position, Entry{std::move(job), now});
  PublishDepth();
  return absl::OkStatus();
}

absl::Status BatchScheduler::Admit(const Job& job) {
  const Job::Facts& facts = job.facts();
  if (facts.stream_id != 0) return absl::OkStatus();
  const std::string& tenant = job.context().tenant();
  const auto full = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                        mutex_) -> std::optional<std::string> {
    if (stills_ >= options_.max_queued_jobs) {
      return absl::StrCat(stills_, " pictures wait for the device");
    }
    if (still_bytes_ + facts.size_bytes > options_.max_queued_bytes &&
        stills_ > 0) {
      return absl::StrCat("waiting pictures hold ", still_bytes_, " bytes");
    }
    const auto lane = lanes_.find(LaneKey{0, tenant});
    if (lane != lanes_.end() &&
        lane->second.entries.size() >=
            static_cast<size_t>(options_.max_queued_jobs_per_tenant)) {
      return absl::StrCat(lane->second.entries.size(),
                          " pictures of this key wait for the device");
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
  const absl::Duration cost = busy / job_count;
  job_cost_ =
      job_cost_ == absl::ZeroDuration() ? cost : job_cost_ * 0.8 + cost * 0.2;
}

BatchScheduler::Ring& BatchScheduler::RingOf(const LaneKey& key) {
  return key.stream_id != 0 ? streams_ : tenants_;
}

std::unique_ptr<Job> BatchScheduler::Remove(const LaneKey& key,
                                            Position position) {
  const auto lane = lanes_.find(key);
  const auto entry = lane->second.entries.find(position);
  std::unique_ptr<Job> job = std::move(entry->second.job);
  lane->second.entries.erase(entry);
  if (lane->second.entries.empty()) {
    RingOf(key).erase(lane->second.turn);
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
    for (const auto& [position, entry] : lane.entries) {
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
  int images = 0;
  int pairs = 0;
  // Lanes of streams that gave their frame; back into the ring afterwards.
  Ring served;
  while (!streams_.empty() || !tenants_.empty()) {
    const bool from_stream =
        tenants_.empty() || (streams_turn_ && !streams_.empty());
    Ring& ring = from_stream ? streams_ : tenants_;
    const LaneKey key = ring.front();
    Lane& lane = lanes_.find(key)->second;
    const auto& [position, entry] = *lane.entries.begin();
    const Job::Facts& facts = entry.job->facts();
    if (!batch->jobs.empty() &&
        (images + facts.image_count > options_.max_batch_images ||
         pairs + facts.pair_count > options_.max_batch_pairs)) {
      break;
    }
    images += facts.image_count;
    pairs += facts.pair_count;
    batch->scheduled_at.push_back(entry.scheduled_at);
    metrics_.scheduling_delay_seconds.Observe(
        now - std::max(entry.scheduled_at, device_free_at_));
    if (lane.entries.size() > 1) {
      Ring& next = from_stream ? served : tenants_;
      next.splice(next.end(), ring, lane.turn);
    }
    batch->jobs.push_back(Remove(key, Position(position)));
    streams_turn_ = !from_stream;
  }
  streams_.splice(streams_.end(), served);
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
    left.push_back(Remove(LaneKey(lane->first),
                          Position(lane->second.entries.begin()->first)));
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
