#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "inference/base/clock.h"
#include "inference/engine.h"
#include "inference/lru_cache.h"
#include "inference/prompt.h"
#include "pipeline/batch_scheduler.h"
#include "pipeline/embedding_cache.h"
#include "pipeline/job.h"
#include "pipeline/metrics.h"

namespace sam3 {

// The thread that owns one engine. It pulls a batch when the device is free,
// encodes the pictures and texts that no cache has, grounds all (picture,
// prompt) pairs in one call, masks all clicked objects in another, follows
// the objects of all streams in two more, found ones and given ones, and hands
// every job its part. A job
// that nobody waits for any more leaves between the two steps; its picture
// stays cached. A second thread tells jobs whose deadline passes while the
// device is busy.
//
// Faults stay where they belong: a failed call fails the jobs of its batch and
// no others; when the device is out of memory the caches are emptied and the
// batch is tried once more in halves; a lost device fails everything from then
// on and is reported once.
//
// Threads: created and destroyed by one thread; jobs are finished on the
// device thread or the expiry thread. The destructor joins both; the scheduler
// must have been closed before.
class DeviceWorker {
 public:
  struct PinnedText {
    TokenizedText text;
    std::shared_ptr<const TextEmbedding> embedding;
  };
  struct Options {
    // Bytes of text embeddings that are kept.
    size_t text_cache_bytes = size_t{64} << 20;
    // Kept beside them, for good.
    std::vector<PinnedText> pinned_texts;
  };

  // Everything borrowed must outlive the worker. `on_lost` is called once, from
  // the device thread, when the device is gone for good.
  DeviceWorker(const Options& options, Engine& engine,
               BatchScheduler& scheduler, EmbeddingCache& images, Clock& clock,
               PipelineMetrics& metrics,
               std::function<void(absl::Status)> on_lost);
  ~DeviceWorker();
  DeviceWorker(const DeviceWorker&) = delete;
  DeviceWorker& operator=(const DeviceWorker&) = delete;

 private:
  struct Work {
    std::unique_ptr<Job> job;
    absl::Time scheduled_at;
    EngineInput input;
    EngineOutput output;
  };

  void Run();
  void FinishExpired();
  void FinishUnwanted(std::unique_ptr<Job> job);
  std::vector<Work> TakeInputs(BatchScheduler::Batch batch);
  void RunBatch(std::vector<Work> works);
  absl::Status Process(std::vector<Work>& works);
  void DropUnwanted(std::vector<Work>& works);
  absl::Status EncodeMissingImages(absl::Span<Work> works);
  absl::Status FindTexts(
      absl::Span<Work> works,
      std::vector<std::shared_ptr<const TextEmbedding>>* texts);
  std::shared_ptr<const TextEmbedding> FindText(const std::string& key);
  void PublishTexts();
  void PublishMemory();
  absl::Status GroundAll(absl::Span<Work> works);
  absl::Status ClickAll(absl::Span<Work> works);
  absl::Status TrackAll(absl::Span<Work> works);
  absl::Status FollowAll(absl::Span<Work> works);
  void Conclude(std::vector<Work> works, const absl::Status& status);
  void Fail(std::vector<Work> works, const absl::Status& status);

  Engine& engine_;
  BatchScheduler& scheduler_;
  EmbeddingCache& images_;
  Clock& clock_;
  PipelineMetrics& metrics_;
  const std::function<void(absl::Status)> on_lost_;
  absl::flat_hash_map<std::string, std::shared_ptr<const TextEmbedding>>
      pinned_texts_;
  size_t pinned_bytes_ = 0;
  LruCache<TextEmbedding> texts_;
  int64_t counted_evictions_ = 0;
  bool lost_ = false;
  std::thread device_thread_;
  std::thread expiry_thread_;
};

}  // namespace sam3
