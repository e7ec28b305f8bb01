#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "inference/engine.h"
#include "inference/given_objects.h"
#include "inference/model_config.h"
#include "inference/torch/interactive/interactive_head.h"
#include "inference/torch/tracker/memory_bank.h"
#include "inference/torch/tracker/tracker_head.h"

namespace sam3 {

// A stream's given objects, their memories, and the newest picture, which
// questions are about.
class TorchGivenTracks final : public StreamTracks {
 public:
  struct Object {
    MemoryBank bank;
    bool visible = true;
    // The last frame that began with a description of it.
    int64_t described_on = 0;
  };

  size_t size_bytes() const override;
  int object_count() const override { return static_cast<int>(objects.size()); }

  std::map<int64_t, Object> objects;  // by id
  int64_t frames = 0;                 // that were followed
  std::shared_ptr<const ImageEmbedding> newest;
};

// Follows given objects by one frame, or answers what is asked about the newest
// one, in each of several streams, as Sam3TrackerVideoModel does with frames
// that arrive one by one: an object that is described on a frame starts there
// from nothing else, all others look back at their memories, in one pass for
// all streams. What differs: a frame that is committed to becomes a
// conditioning frame of that object, as in the authors' program, and leaves the
// other objects alone; of an object's described frames the pointers of the
// nearest 32 count.
//
// Streams are changed when everything has gone well, or not at all. Called on
// the engine's thread, inside GuardTorch; blocks until the device is done.
std::vector<TrackedFrame> FollowGiven(const InteractiveHead& clicks,
                                      const TrackerHead& head,
                                      const ModelConfig& config,
                                      absl::Span<const FollowItem> items);

}  // namespace sam3
