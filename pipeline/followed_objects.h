#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "inference/stream_tracks.h"
#include "pipeline/resume_state.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// What one frame told of a stream's objects, in the form that is kept.
struct ObjectSightings {
  std::vector<ResumeObject> seen;
  std::vector<TrackEvent> events;
};

// Makes the masks compact, which takes a moment. `prompts` are the frame's.
// Pure; any thread.
ObjectSightings ReadSightings(absl::Span<const ConceptPrompt> prompts,
                              const TrackedFrame& tracked);

// The objects that a stream follows, each as it was last seen: what another
// stream needs to go on with them. An object without a mask so far is left out.
//
// Not thread-safe: its session guards it. Never blocks. Holds as many objects
// as are followed.
class FollowedObjects {
 public:
  // Starts with what the stream goes on with.
  FollowedObjects() = default;
  explicit FollowedObjects(const ResumeState& state);

  // A frame has been tracked; frames begin in the order in which they were.
  void Begin(int64_t frame);
  // What that frame told. Frames may end in any order, and count in theirs.
  void End(int64_t frame, ObjectSightings sightings);

  // Writes objects and the next id of those that `prompts`, the current ones,
  // have; and the prompts.
  void Describe(absl::Span<const ConceptPrompt> prompts,
                ResumeState* state) const;

 private:
  void Apply(ObjectSightings sightings);

  std::map<int64_t, ResumeObject> objects_;
  int64_t next_id_ = 0;
  std::deque<int64_t> begun_;
  std::map<int64_t, ObjectSightings> ended_;  // behind one that has not
};

}  // namespace sam3
