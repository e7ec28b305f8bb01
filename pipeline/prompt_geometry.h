#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "pipeline/job.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// Prompts as the engine takes them: example boxes as fractions of a picture of
// width x height pixels, cut at its borders, each cut said in `warnings` (which
// may be null). Pure; any thread. INVALID_ARGUMENT, with the field to blame,
// for a box that lies wholly outside the picture.
absl::StatusOr<std::vector<EnginePrompt>> ToEnginePrompts(
    absl::Span<const ConceptPrompt> prompts, const ConceptOptions& options,
    int width, int height, std::vector<std::string>* warnings);

// The same for clicks and a box on one object; `field` leads to them. A click
// must be inside the picture, its borders included.
absl::StatusOr<ObjectPrompt> ToObjectPrompt(
    absl::Span<const PointedAt> points,
    const std::optional<PointedObject::Frame>& box, int width, int height,
    const std::string& field, std::vector<std::string>* warnings);

// The same for several objects on one picture.
absl::StatusOr<std::vector<ObjectPrompt>> ToObjectPrompts(
    absl::Span<const PointedObject> prompts, int width, int height,
    std::vector<std::string>* warnings);

}  // namespace sam3
