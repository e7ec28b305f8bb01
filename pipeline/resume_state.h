#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/geometry.h"
#include "inference/stream_tracks.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// What is left of a stream that follows objects, for another one to go on with.
// Free of any wire format. Values and pure functions; any thread.

// An object as it was last seen, in pixels of the model's mask.
struct ResumeObject {
  int64_t id = 0;
  // The stream's number for its prompt; in a ResumeState, the position.
  int prompt = 0;
  // Of the detection that it was born from.
  float score = 0;
  // kTentative, kConfirmed or kLost.
  TrackPhase phase = TrackPhase::kConfirmed;
  Box box;  // half-open
  // COCO's string for the mask's runs; empty: the box is all that is known.
  std::string mask_counts = {};
};

struct ResumeState {
  // With ids. Of one that was read, only what a client can say is set.
  std::vector<ConceptPrompt> prompts;
  std::vector<ResumeObject> objects;  // by id
  int64_t next_object_id = 0;
  // That came in on all streams of the chain.
  int64_t frames_before = 0;
  int mask_size = 0;  // side, pixels
};

// Drops the masks of the smallest objects until those that are left have at
// most `max_bytes` together.
void KeepLargestMasks(size_t max_bytes, std::vector<ResumeObject>* objects);

// What an engine with masks of that side goes on with; boxes without a mask are
// filled. INVALID_ARGUMENT (RESUME_REJECTED) for a state that makes no sense:
// another size, ids that do not ascend below the next one, a prompt that is not
// there, a score that is no probability, a box or a mask that does not fit.
absl::StatusOr<TrackSeeds> MakeTrackSeeds(const ResumeState& state,
                                          int mask_size);

}  // namespace sam3
