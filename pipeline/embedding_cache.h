#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "inference/engine.h"
#include "inference/lru_cache.h"
#include "pipeline/metrics.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// A picture that needs neither decoding nor encoding any more.
struct CachedPicture {
  std::shared_ptr<const ImageEmbedding> embedding;
  ImageInfo info;
};

// The device's embeddings of recent pictures, by tenant and content digest, and
// by the name that a tenant gave to one. Least recently used first out, by
// bytes. No tenant ever sees another's pictures.
//
// Identity. A cache belongs to one engine, so that model and preprocessing are
// the same for all its entries and need no place in the key. The digest is
// cryptographic: nobody can make a second picture that answers to it, and no
// secret has to be mixed in.
//
// Threads: any; no call blocks. Embeddings are shared with the jobs that use
// them.
class EmbeddingCache {
 public:
  // `metrics` must outlive the cache.
  EmbeddingCache(size_t budget_bytes, PipelineMetrics& metrics)
      : metrics_(metrics), pictures_(budget_bytes) {}

  std::optional<CachedPicture> FindDigest(const std::string& tenant,
                                          const std::string& digest);
  // A name, or a digest in its place.
  std::optional<CachedPicture> FindName(const std::string& tenant,
                                        const std::string& image_id);

  // FAILED_PRECONDITION when the name already means other, still cached bytes.
  absl::Status CheckName(const std::string& tenant, const std::string& image_id,
                         const std::string& digest);

  // Keeps a picture under its digest and, if it has one, its name.
  void Insert(const std::string& tenant, CachedPicture picture);

  // Makes room when the device is out of memory.
  void Clear();

 private:
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  PipelineMetrics& metrics_;
  absl::Mutex mutex_;
  LruCache<CachedPicture> pictures_ ABSL_GUARDED_BY(mutex_);
  // Name key to picture key; entries whose picture has left are dropped when
  // they are met and when they outnumber the pictures.
  absl::flat_hash_map<std::string, std::string> names_ ABSL_GUARDED_BY(mutex_);
  int64_t counted_evictions_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sam3
