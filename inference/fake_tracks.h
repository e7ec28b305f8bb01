#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "inference/association/concept_frame.h"
#include "inference/fake_image.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// The fake engine's objects of one stream: each is the area of its colour that
// is nearest to where it last was. Used by that engine, on its thread; does not
// block.
class FakeTracks final : public StreamTracks {
 public:
  FakeTracks(const AssociationOptions& options, TrackSeeds start);

  size_t size_bytes() const override {
    return objects_.size() * sizeof(ColouredFakeArea);
  }
  int object_count() const override {
    return static_cast<int>(objects_.size());
  }

  TrackedFrame Follow(const TrackItem& item);

 private:
  std::vector<TrackEvent> DropOtherPrompts(const TrackItem& item);
  // What is to be seen of all objects, by id.
  std::vector<PropagatedObject> Propagate(const FakeImage& image,
                                          const TrackItem& item);

  TrackTable table_;
  std::map<int64_t, ColouredFakeArea> objects_;
  // Objects of which nothing has been seen on this stream yet.
  std::vector<TrackSeed> seeds_;
  int64_t frames_ = 0;
};

}  // namespace sam3
