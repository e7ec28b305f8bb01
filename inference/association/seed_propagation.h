#pragma once

#include <vector>

#include "absl/types/span.h"
#include "inference/association/concept_frame.h"
#include "inference/association/track_table.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// What objects that another stream followed are on a frame of this one, in
// place of what a memory would propagate. Objects that are not in `table` are
// left out.
//
// Each detection goes to the object of its prompt that it overlaps most, and
// each object has one: then its mask is the detection's, so that the object
// matches it and none is born in its stead. Without one, a lost object has no
// mask, and any other the one that it had.
//
// By id, as `seeds` are; masks have the size of the seeds'. Pure; any thread;
// does not block.
std::vector<PropagatedObject> PropagateSeeds(
    absl::Span<const TrackSeed> seeds, const TrackTable& table,
    absl::Span<const TrackedPrompt> prompts);

}  // namespace sam3
