#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "inference/association/options.h"
#include "inference/association/track_table.h"
#include "inference/fake_image.h"
#include "inference/given_objects.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// Where the fake engine last saw an object.
struct FakeSeen {
  int colour = kNoFakeColour;
  FakeArea area;
};

// Objects that are the areas of a colour nearest to where they last were. On
// the engine's thread, as all tracks.
class FakeTracks final : public StreamTracks {
 public:
  explicit FakeTracks(const AssociationOptions& options) : table_(options) {}
  size_t size_bytes() const override {
    return objects_.size() * sizeof(FakeSeen);
  }
  int object_count() const override {
    return static_cast<int>(objects_.size());
  }

  TrackedFrame Follow(const TrackItem& item);

 private:
  TrackTable table_;
  std::map<int64_t, FakeSeen> objects_;
  int64_t frames_ = 0;
};

// The same for given objects: each is the area that its description shows.
class FakeGivenTracks final : public StreamTracks {
 public:
  size_t size_bytes() const override {
    return objects_.size() * sizeof(Followed);
  }
  int object_count() const override {
    return static_cast<int>(objects_.size());
  }

  // The next frame.
  TrackedFrame Follow(const FollowItem& item);
  // What is asked about the newest.
  TrackedFrame Answer(const FollowItem& item);

 private:
  struct Followed {
    FakeSeen seen;
    bool visible = true;
  };

  std::map<int64_t, Followed> objects_;
  std::shared_ptr<const ImageEmbedding> newest_;
};

}  // namespace sam3
