#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "inference/stream_tracks.h"
#include "pipeline/metrics.h"

namespace sam3 {

// What the objects of all streams hold of the device's memory. An object's part
// is bounded, their number is not: beyond the limit nobody gets new ones until
// others have gone. It may be exceeded by what the frames of one batch add.
//
// Threads: any; nothing blocks.
class TrackedMemory {
 public:
  // One stream's objects. They are counted until the share is destroyed, which
  // releases them; it may outlive the memory, as a session outlives what it was
  // opened on.
  class Share {
   public:
    // `metrics` as the memory's.
    explicit Share(PipelineMetrics& metrics) : metrics_(metrics) {}
    ~Share() { Count(0, 0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Once, before anything else.
    void Hold(std::shared_ptr<StreamTracks> tracks) {
      tracks_ = std::move(tracks);
    }
    // Null where nothing is followed.
    const std::shared_ptr<StreamTracks>& tracks() const { return tracks_; }
    // Counts what they hold now; on the engine's thread.
    void Measure();

   private:
    void Count(size_t bytes, int objects);

    PipelineMetrics& metrics_;
    std::shared_ptr<StreamTracks> tracks_;
    size_t bytes_ = 0;
    int objects_ = 0;
  };

  // `metrics` must outlive it and all shares.
  TrackedMemory(size_t max_bytes, PipelineMetrics& metrics)
      : max_bytes_(max_bytes), metrics_(metrics) {}

  // OK while new objects are taken, else RESOURCE_EXHAUSTED (OVERLOADED).
  absl::Status Room() const;

 private:
  const size_t max_bytes_;
  PipelineMetrics& metrics_;
};

}  // namespace sam3
