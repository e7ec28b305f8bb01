#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "inference/association/track_table.h"
#include "inference/detection.h"

namespace sam3 {

class ImageEmbedding;

// The objects that one stream follows, with everything that an engine remembers
// of them, bounded however long the stream is. Opaque; changed by the engine
// that made it, on its thread, and by nobody else; may be released on any
// thread.
class StreamTracks {
 public:
  virtual ~StreamTracks() = default;
  // Device and host bytes that it holds.
  virtual size_t size_bytes() const = 0;
  virtual int object_count() const = 0;
};

// One prompt of a stream, and what the detector found of it on a frame.
struct TrackedPrompt {
  // The stream's number for it; never used for another one.
  int prompt = 0;
  // Borrowed; with masks as logits. Null where no detector ran on the frame,
  // for one prompt as for all: objects are followed and none is born or
  // doubted.
  const Detections* found = nullptr;
};

// An object that another stream followed, with what is left of it.
struct TrackSeed {
  int64_t id = 0;
  int prompt = 0;  // the new stream's number
  // Of the detection that it was born from.
  float score = 0;
  // kTentative, kConfirmed or kLost.
  TrackPhase phase = TrackPhase::kConfirmed;
  // Where it was last seen, as logits of the model's mask size.
  LowResMask mask;
};

// What a stream starts with: nothing, or what another one followed. On the
// first frame, an object goes on from the detection that overlaps its mask
// most, or else, unless it was lost, from its mask; one that was lost waits for
// a detection that overlaps its mask.
struct TrackSeeds {
  std::vector<TrackSeed> objects;  // by id
  // Ids below are taken.
  int64_t next_id = 0;
};

// The next frame of one stream. Objects of prompts that are not among these are
// no longer followed.
struct TrackItem {
  std::shared_ptr<StreamTracks> tracks;
  std::shared_ptr<const ImageEmbedding> image;
  std::vector<TrackedPrompt> prompts;
  // False: there is no memory for more objects.
  bool takes_new = true;
};

// One object on one frame.
struct TrackedInstance {
  int64_t object_id = 0;
  // kTentative, kConfirmed or kLost.
  TrackPhase phase = TrackPhase::kConfirmed;
  // Of the detection that it was born from; never changes. Of a given object,
  // that it is there.
  float score = 0;
  // Where masks of one prompt overlap, the greater one has the pixel.
  float overlap_score = 0;
  // Logits. Objects with empty masks are left out, but for given ones.
  LowResMask mask;
};

// What a frame is to one stream.
struct TrackedFrame {
  // One list a prompt, in the order of the item's, each by id. Of given objects
  // one list: all of them by id, or what was asked, in order.
  std::vector<std::vector<TrackedInstance>> objects;
  // By id; one object's in the order in which they happened.
  std::vector<TrackEvent> events;
  // New objects that were not taken in, as there are too many.
  int births_beyond_cap = 0;
  // Of the whole batch.
  absl::Duration track;
};

}  // namespace sam3
