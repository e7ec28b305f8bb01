#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inference/prompt.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// A mask that somebody drew: runs down the columns, background first, which
// fill width x height.
struct GivenMask {
  int width = 0;
  int height = 0;
  std::vector<uint32_t> counts;
};

// What somebody says an object is on a picture.
struct ObjectDescription {
  int64_t id = 0;
  // Clicks, a box or both; not read where there is a mask.
  ObjectPrompt prompt;
  std::shared_ptr<const GivenMask> mask;  // stretched over the picture
};

// A followed object, and what somebody says it is on the newest frame.
struct ObjectQuestion {
  ObjectDescription described;
  // True: the answer is remembered, as that of a described frame, in place of
  // what was.
  bool commit = false;
};

// The next frame of a stream whose objects are given, or questions about its
// newest one.
struct FollowItem {
  std::shared_ptr<StreamTracks> tracks;
  // Null: there are questions and nothing else.
  std::shared_ptr<const ImageEmbedding> image;
  // Objects that are forgotten before the frame; followed ones.
  std::vector<int64_t> drop = {};
  // Objects as they are on the frame: new ones, or followed ones anew. No id
  // twice.
  std::vector<ObjectDescription> describe = {};
  // About followed objects, after at least one frame.
  std::vector<ObjectQuestion> questions = {};
};

}  // namespace sam3
