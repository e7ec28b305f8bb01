#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/detection.h"
#include "inference/object_candidates.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// Whether results with these options need the model's masks at all.
bool NeedsMasks(const ConceptOptions& options);

// Turns what the engine found on one picture of width x height pixels into one
// result per prompt: masks at the asked resolution and format, areas and tight
// boxes of the full-resolution mask, suppression across all prompts. Pure;
// blocks for as long as encoding takes; any thread. INTERNAL when a codec
// fails.
absl::StatusOr<std::vector<PromptResult>> EncodeResults(
    absl::Span<const ConceptPrompt> prompts,
    absl::Span<const Detections> detections, const ConceptOptions& options,
    int width, int height);

// The same for objects: one result per prompt with the best mask, or all where
// the options ask for them. Ids, and what is told of logits, are the caller's.
absl::StatusOr<std::vector<ObjectResult>> EncodeObjects(
    absl::Span<const ObjectCandidates> objects, const ObjectOptions& options,
    int width, int height);

}  // namespace sam3
