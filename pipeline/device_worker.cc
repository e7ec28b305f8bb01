#include "pipeline/device_worker.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

std::string TextKey(const TokenizedText& text) {
  return std::string(reinterpret_cast<const char*>(text.ids.data()),
                     sizeof(int32_t) * static_cast<size_t>(text.length));
}

// The engine's error with the reason that clients act on.
absl::Status Explain(absl::Status status) {
  switch (status.code()) {
    case absl::StatusCode::kResourceExhausted:
      return WithReason(std::move(status), reason::kDeviceMemory);
    case absl::StatusCode::kUnavailable:
      return WithReason(std::move(status), reason::kDeviceLost);
    case absl::StatusCode::kInvalidArgument:
      return WithReason(std::move(status), reason::kInvalidRequest);
    default:
      return WithReason(std::move(status), reason::kEngineFailure);
  }
}

}  // namespace

DeviceWorker::DeviceWorker(const Options& options, Engine& engine,
                           BatchScheduler& scheduler, EmbeddingCache& images,
                           Clock& clock, PipelineMetrics& metrics,
                           std::function<void(absl::Status)> on_lost)
    : engine_(engine),
      scheduler_(scheduler),
      images_(images),
      clock_(clock),
      metrics_(metrics),
      on_lost_(std::move(on_lost)),
      texts_(options.text_cache_bytes) {
  for (const PinnedText& pinned : options.pinned_texts) {
    if (pinned_texts_.emplace(TextKey(pinned.text), pinned.embedding).second) {
      pinned_bytes_ += pinned.embedding->size_bytes();
    }
  }
  PublishTexts();
  PublishMemory();
  device_thread_ = std::thread([this] { Run(); });
  expiry_thread_ = std::thread([this] { FinishExpired(); });
  pthread_setname_np(device_thread_.native_handle(), "sam3-device");
  pthread_setname_np(expiry_thread_.native_handle(), "sam3-expiry");
}

DeviceWorker::~DeviceWorker() {
  device_thread_.join();
  expiry_thread_.join();
}

void DeviceWorker::Run() {
  while (true) {
    BatchScheduler::Batch batch = scheduler_.NextBatch();
    for (auto& job : batch.dropped) FinishUnwanted(std::move(job));
    batch.dropped.clear();
    const bool closed = batch.closed;
    std::vector<Work> works = TakeInputs(std::move(batch));
    if (!works.empty()) {
      const auto count = static_cast<int>(works.size());
      const absl::Time started = clock_.Now();
      RunBatch(std::move(works));
      const absl::Duration busy = clock_.Now() - started;
      metrics_.engine_busy_nanoseconds.Add(absl::ToInt64Nanoseconds(busy));
      scheduler_.BatchDone(count, busy);
      PublishMemory();
    }
    if (closed) return;
  }
}

void DeviceWorker::FinishExpired() {
  while (true) {
    std::vector<std::unique_ptr<Job>> expired = scheduler_.AwaitExpired();
    if (expired.empty()) return;
    for (auto& job : expired) FinishUnwanted(std::move(job));
  }
}

void DeviceWorker::FinishUnwanted(std::unique_ptr<Job> job) {
  absl::Status why = job->context().StillWanted(clock_.Now());
  if (why.ok()) why = absl::CancelledError("no longer wanted");
  if (why.code() == absl::StatusCode::kDeadlineExceeded) {
    metrics_.requests_expired.Add();
  } else {
    metrics_.cancelled_before_engine.Add();
  }
  job->Finish(std::move(why));
}

std::vector<DeviceWorker::Work> DeviceWorker::TakeInputs(
    BatchScheduler::Batch batch) {
  std::vector<Work> works;
  const absl::Time now = clock_.Now();
  for (size_t i = 0; i < batch.jobs.size(); ++i) {
    std::unique_ptr<Job> job = std::move(batch.jobs[i]);
    std::optional<EngineInput> input = job->TakeInput();
    if (!input.has_value()) {
      job->Finish(absl::CancelledError("nothing left to do"));
      continue;
    }
    Work work;
    work.job = std::move(job);
    work.scheduled_at = batch.scheduled_at[i];
    work.input = *std::move(input);
    work.output.queue = now - work.scheduled_at;
    metrics_.queue_seconds.Observe(work.output.queue);
    works.push_back(std::move(work));
  }
  return works;
}

void DeviceWorker::RunBatch(std::vector<Work> works) {
  if (lost_) {
    return Fail(std::move(works), absl::UnavailableError("the device is lost"));
  }
  const absl::Status status = Process(works);
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    metrics_.engine_out_of_memory.Add();
    images_.Clear();
    texts_.ShrinkTo(0);
    PublishTexts();
    metrics_.batch_splits.Add();
    const auto middle =
        works.begin() + static_cast<std::ptrdiff_t>((works.size() + 1) / 2);
    std::vector<Work> second(std::make_move_iterator(middle),
                             std::make_move_iterator(works.end()));
    works.erase(middle, works.end());
    for (std::vector<Work>* half : {&works, &second}) {
      if (half->empty()) continue;
      const absl::Status again = Process(*half);
      Conclude(std::move(*half), again);
    }
    return;
  }
  Conclude(std::move(works), status);
}

void DeviceWorker::Conclude(std::vector<Work> works,
                            const absl::Status& status) {
  if (!status.ok()) return Fail(std::move(works), status);
  const absl::Time now = clock_.Now();
  for (Work& work : works) {
    if (!work.job->context().StillWanted(now).ok()) {
      metrics_.cancelled_after_engine.Add();
    }
    work.job->Finish(std::move(work.output));
  }
}

absl::Status DeviceWorker::Process(std::vector<Work>& works) {
  metrics_.batches.Add();
  const absl::Time start = clock_.Now();
  SAM3_RETURN_IF_ERROR(EncodeMissingImages(absl::MakeSpan(works)));
  const absl::Time encoded = clock_.Now();
  metrics_.encode_seconds.Observe(encoded - start);
  DropUnwanted(works);
  if (works.empty()) return absl::OkStatus();
  SAM3_RETURN_IF_ERROR(GroundAll(absl::MakeSpan(works)));
  SAM3_RETURN_IF_ERROR(ClickAll(absl::MakeSpan(works)));
  SAM3_RETURN_IF_ERROR(TrackAll(absl::MakeSpan(works)));
  SAM3_RETURN_IF_ERROR(FollowAll(absl::MakeSpan(works)));
  const absl::Time grounded = clock_.Now();
  metrics_.ground_seconds.Observe(grounded - encoded);
  for (Work& work : works) {
    work.output.encode = encoded - start;
    work.output.ground = grounded - encoded;
  }
  return absl::OkStatus();
}

void DeviceWorker::DropUnwanted(std::vector<Work>& works) {
  const absl::Time now = clock_.Now();
  const auto unwanted = std::stable_partition(
      works.begin(), works.end(), [now](const Work& work) {
        return work.job->context().StillWanted(now).ok();
      });
  for (auto work = unwanted; work != works.end(); ++work) {
    metrics_.cancelled_after_engine.Add();
    work->job->Finish(work->job->context().StillWanted(now));
  }
  works.erase(unwanted, works.end());
}

absl::Status DeviceWorker::EncodeMissingImages(absl::Span<Work> works) {
  std::vector<Image> images;
  std::vector<Work*> owners;
  for (Work& work : works) {
    EngineInput& input = work.input;
    if (!input.has_picture()) continue;
    if (input.embedding == nullptr && input.keep_as.has_value()) {
      // Another job may have encoded the same picture since this one came.
      const auto cached = images_.FindDigest(work.job->context().tenant(),
                                             input.keep_as->digest);
      if (cached.has_value()) input.embedding = cached->embedding;
    }
    work.output.embedding_cache_hit = input.embedding != nullptr;
    if (input.embedding != nullptr) {
      if (input.keep_as.has_value()) metrics_.image_cache_hits.Add();
      continue;
    }
    if (input.keep_as.has_value()) metrics_.image_cache_misses.Add();
    images.push_back(input.image);
    owners.push_back(&work);
  }
  if (images.empty()) return absl::OkStatus();
  metrics_.batch_images.Observe(static_cast<double>(images.size()));
  SAM3_ASSIGN_OR_RETURN(const auto embeddings, engine_.EncodeImages(images));
  metrics_.images_encoded.Add(static_cast<int64_t>(images.size()));
  for (size_t i = 0; i < owners.size(); ++i) {
    EngineInput& input = owners[i]->input;
    input.embedding = embeddings[i];
    input.image = Image();
    if (input.keep_as.has_value()) {
      images_.Insert(owners[i]->job->context().tenant(),
                     {input.embedding, *input.keep_as});
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<const TextEmbedding> DeviceWorker::FindText(
    const std::string& key) {
  const auto pinned = pinned_texts_.find(key);
  return pinned != pinned_texts_.end() ? pinned->second : texts_.Find(key);
}

void DeviceWorker::PublishMemory() {
  const EngineMemory memory = engine_.memory();
  metrics_.engine_weights_bytes.Set(static_cast<int64_t>(memory.weights_bytes));
  metrics_.engine_working_bytes.Set(static_cast<int64_t>(memory.working_bytes));
}

void DeviceWorker::PublishTexts() {
  metrics_.text_cache_bytes.Set(
      static_cast<int64_t>(pinned_bytes_ + texts_.size_bytes()));
  metrics_.text_cache_evictions.Add(texts_.evictions() - counted_evictions_);
  counted_evictions_ = texts_.evictions();
}

absl::Status DeviceWorker::FindTexts(
    absl::Span<Work> works,
    std::vector<std::shared_ptr<const TextEmbedding>>* texts) {
  absl::flat_hash_map<std::string, std::shared_ptr<const TextEmbedding>> known;
  std::vector<TokenizedText> missing;
  std::vector<std::string> missing_keys;
  for (const Work& work : works) {
    for (const EnginePrompt& prompt : work.input.prompts) {
      const std::string key = TextKey(prompt.text);
      if (known.contains(key)) {
        metrics_.text_cache_hits.Add();
        continue;
      }
      known[key] = FindText(key);
      if (known[key] != nullptr) {
        metrics_.text_cache_hits.Add();
      } else {
        metrics_.text_cache_misses.Add();
        missing.push_back(prompt.text);
        missing_keys.push_back(key);
      }
    }
  }
  if (!missing.empty()) {
    SAM3_ASSIGN_OR_RETURN(const auto encoded, engine_.EncodeTexts(missing));
    for (size_t i = 0; i < missing.size(); ++i) {
      known[missing_keys[i]] = encoded[i];
      texts_.Insert(missing_keys[i], encoded[i], encoded[i]->size_bytes());
    }
    PublishTexts();
  }
  for (const Work& work : works) {
    for (const EnginePrompt& prompt : work.input.prompts) {
      texts->push_back(known[TextKey(prompt.text)]);
    }
  }
  return absl::OkStatus();
}

absl::Status DeviceWorker::GroundAll(absl::Span<Work> works) {
  std::vector<std::shared_ptr<const TextEmbedding>> texts;
  SAM3_RETURN_IF_ERROR(FindTexts(works, &texts));
  std::vector<GroundItem> items;
  for (const Work& work : works) {
    for (const EnginePrompt& prompt : work.input.prompts) {
      items.push_back({work.input.embedding, texts[items.size()],
                       prompt.exemplars, prompt.options});
    }
  }
  if (items.empty()) return absl::OkStatus();
  metrics_.batch_pairs.Observe(static_cast<double>(items.size()));
  SAM3_ASSIGN_OR_RETURN(const auto pending, engine_.Ground(items));
  SAM3_ASSIGN_OR_RETURN(std::vector<Detections> found, pending->Take());
  metrics_.pairs_grounded.Add(static_cast<int64_t>(items.size()));
  size_t next = 0;
  for (Work& work : works) {
    for (size_t i = 0; i < work.input.prompts.size(); ++i) {
      work.output.detections.push_back(std::move(found[next++]));
    }
  }
  return absl::OkStatus();
}

absl::Status DeviceWorker::ClickAll(absl::Span<Work> works) {
  std::vector<ClickItem> items;
  for (const Work& work : works) {
    for (const EngineObject& object : work.input.objects) {
      items.push_back({work.input.embedding, object.prompt, object.earlier,
                       object.multimask});
    }
  }
  if (items.empty()) return absl::OkStatus();
  SAM3_ASSIGN_OR_RETURN(const auto pending, engine_.Click(items));
  SAM3_ASSIGN_OR_RETURN(std::vector<ObjectCandidates> found, pending->Take());
  metrics_.objects_clicked.Add(static_cast<int64_t>(items.size()));
  size_t next = 0;
  for (Work& work : works) {
    for (size_t i = 0; i < work.input.objects.size(); ++i) {
      work.output.objects.push_back(std::move(found[next++]));
    }
  }
  return absl::OkStatus();
}

absl::Status DeviceWorker::TrackAll(absl::Span<Work> works) {
  std::vector<TrackItem> items;
  for (const Work& work : works) {
    if (work.input.tracks == nullptr) continue;
    TrackItem item{work.input.tracks,
                   work.input.embedding,
                   {},
                   work.input.takes_new_objects};
    for (size_t i = 0; i < work.input.prompt_numbers.size(); ++i) {
      const std::vector<Detections>& found = work.output.detections;
      item.prompts.push_back(
          {work.input.prompt_numbers[i], found.empty() ? nullptr : &found[i]});
    }
    items.push_back(std::move(item));
  }
  if (items.empty()) return absl::OkStatus();
  SAM3_ASSIGN_OR_RETURN(std::vector<TrackedFrame> frames, engine_.Track(items));
  size_t next = 0;
  for (Work& work : works) {
    if (work.input.tracks == nullptr) continue;
    work.output.tracked = std::move(frames[next++]);
  }
  return absl::OkStatus();
}

absl::Status DeviceWorker::FollowAll(absl::Span<Work> works) {
  std::vector<FollowItem> items;
  for (const Work& work : works) {
    if (!work.input.follow.has_value()) continue;
    items.push_back(*work.input.follow);
    items.back().image = work.input.embedding;
  }
  if (items.empty()) return absl::OkStatus();
  SAM3_ASSIGN_OR_RETURN(std::vector<TrackedFrame> frames,
                        engine_.Follow(items));
  size_t next = 0;
  for (Work& work : works) {
    if (!work.input.follow.has_value()) continue;
    work.output.tracked = std::move(frames[next++]);
  }
  return absl::OkStatus();
}

void DeviceWorker::Fail(std::vector<Work> works, const absl::Status& status) {
  metrics_.batch_failures.Add();
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    metrics_.engine_out_of_memory.Add();
  } else if (status.code() != absl::StatusCode::kUnavailable) {
    metrics_.engine_other_errors.Add();
  }
  const absl::Status explained = Explain(status);
  if (status.code() == absl::StatusCode::kUnavailable && !lost_) {
    lost_ = true;
    metrics_.device_lost.Set(1);
    on_lost_(explained);
  }
  for (Work& work : works) work.job->Finish(explained);
}

}  // namespace sam3
