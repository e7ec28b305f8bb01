#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/synchronization/mutex.h"
#include "inference/detection.h"
#include "inference/lru_cache.h"
#include "inference/prompt.h"
#include "pipeline/metrics.h"

namespace sam3 {

// Logits of recent answers to object prompts, so that a further click refines a
// mask instead of starting anew. Found by handle, or by what was asked: the
// same box and fewer of the same clicks on the same picture. Least recently
// used first out, by bytes. No tenant ever sees another's.
//
// Threads: any; no call blocks.
class LogitsCache {
 public:
  // `metrics` must outlive the cache. A budget of 0 keeps nothing.
  LogitsCache(size_t budget_bytes, PipelineMetrics& metrics)
      : metrics_(metrics), kept_(budget_bytes) {}

  // `digest` names the picture. A prompt's `best` answer is the one that
  // FindEarlier() gives. Returns the handle.
  std::string Insert(const std::string& tenant, const std::string& digest,
                     const ObjectPrompt& prompt, bool best, LowResMask logits);

  // Null when the handle is unknown, has left, or belongs to another picture.
  std::shared_ptr<const LowResMask> Find(const std::string& tenant,
                                         const std::string& digest,
                                         const std::string& handle);

  // Of the prompts that `prompt` goes beyond, the one with most clicks, of
  // equals the newest; null when there is none.
  std::shared_ptr<const LowResMask> FindEarlier(const std::string& tenant,
                                                const std::string& digest,
                                                const ObjectPrompt& prompt);

 private:
  struct Kept {
    std::string digest;
    ObjectPrompt prompt;
    std::shared_ptr<const LowResMask> logits;
  };

  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  PipelineMetrics& metrics_;
  absl::Mutex mutex_;
  absl::BitGen random_ ABSL_GUARDED_BY(mutex_);
  LruCache<Kept> kept_ ABSL_GUARDED_BY(mutex_);
  // Handle keys of one picture's best answers, newest last; entries whose
  // logits have left are dropped when they are met.
  absl::flat_hash_map<std::string, std::vector<std::string>> by_picture_
      ABSL_GUARDED_BY(mutex_);
  int64_t counted_evictions_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sam3
