#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/detection.h"
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

}  // namespace sam3
