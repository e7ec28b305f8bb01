#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "inference/association/options.h"
#include "inference/model_config.h"
#include "inference/stream_tracks.h"
#include "inference/torch/interactive/interactive_head.h"
#include "inference/torch/tracker/memory_bank.h"
#include "inference/torch/tracker/tracker_head.h"

namespace sam3 {

// A stream's objects and their memories.
class TorchTracks final : public StreamTracks {
 public:
  TorchTracks(const AssociationOptions& options, TrackSeeds start);

  size_t size_bytes() const override;
  int object_count() const override { return static_cast<int>(banks.size()); }

  TrackTable table;
  std::map<int64_t, MemoryBank> banks;  // by object
  // Objects of the table that have no memory yet: a frame with a mask of theirs
  // gives them one.
  std::vector<TrackSeed> seeds;
  int64_t frames = 0;  // that were tracked
};

// Follows the objects of concepts by one frame in each of several streams, as
// Sam3VideoModel does with frames that arrive one by one: all objects of all
// streams are propagated together, then associated stream by stream with what
// the detector found, then remembered. Streams are changed when everything has
// gone well, or not at all. Called on the engine's thread, inside GuardTorch;
// blocks until the device is done.
std::vector<TrackedFrame> TrackConcepts(const InteractiveHead& clicks,
                                        const TrackerHead& head,
                                        const ModelConfig& config,
                                        absl::Span<const TrackItem> items);

}  // namespace sam3
