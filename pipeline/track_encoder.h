#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/detection.h"
#include "inference/stream_tracks.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// Turns what a frame of width x height pixels is to a stream into one result
// per prompt, of which `detections` has one each, or none where no detector
// ran: its objects by id, with masks at the asked resolution and format. Where
// masks of one prompt overlap, each pixel is one object's; boxes are those of
// whole masks, as the reference has them. Pure; blocks for as long as encoding
// takes; any thread. INTERNAL when a codec fails.
absl::StatusOr<std::vector<PromptResult>> EncodeTracks(
    absl::Span<const ConceptPrompt> prompts,
    absl::Span<const Detections> detections, const TrackedFrame& tracked,
    const ConceptOptions& options, int width, int height);

// Given objects, as they are: masks may overlap. Otherwise the same.
absl::StatusOr<std::vector<Instance>> EncodeGiven(
    absl::Span<const TrackedInstance> objects, const ConceptOptions& options,
    int width, int height);

}  // namespace sam3
