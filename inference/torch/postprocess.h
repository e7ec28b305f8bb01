#pragma once

#include <cstdint>
#include <vector>

#include "inference/detection.h"
#include "inference/engine.h"
#include "inference/torch/aten.h"

namespace sam3 {

// The queries of one pair that pass the options' threshold, best first, ties
// by query index; without masks. logits [Q], boxes [Q, 4] xyxy and presence
// (a logit) in fp32 on the host. A score is the product of both probabilities.
Detections SelectDetections(const at::Tensor& logits, const at::Tensor& boxes,
                            float presence_logit, const GroundOptions& options);

// Gives `detections` their masks: logits [K, h, w] in their order. The
// reference thresholds upsampled probabilities, so probabilities are kept, or
// the logits where they are asked for.
void AttachMasks(const at::Tensor& logits, bool as_logits,
                 Detections* detections);

}  // namespace sam3
