#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "inference/fake_image.h"
#include "inference/given_objects.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// The fake engine's given objects of one stream: each is the area that its
// description shows, and then the one of its colour that is nearest to where it
// last was. Used by that engine, on its thread; does not block.
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
    ColouredFakeArea seen;
    bool visible = true;
  };

  std::map<int64_t, Followed> objects_;
  std::shared_ptr<const ImageEmbedding> newest_;
};

}  // namespace sam3
