#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "inference/engine.h"
#include "inference/object_candidates.h"
#include "inference/torch/interactive/interactive_head.h"

namespace sam3 {

// Launches object prompts on any number of pictures and returns before the
// device is done with them. Prompts that may go together do: those on one
// picture, with as many tokens, that all refine or all do not. `head` must
// outlive the result; called on the engine's thread, inside GuardTorch.
std::unique_ptr<Pending<std::vector<ObjectCandidates>>> LaunchClicks(
    const InteractiveHead& head, const InteractiveConfig& config,
    absl::Span<const ClickItem> items);

}  // namespace sam3
