#pragma once

#include <vector>

#include "absl/time/time.h"
#include "inference/detection.h"

namespace sam3 {

// One way to mask the object that a prompt points at.
struct ObjectCandidate {
  // The overlap with the true mask that the model expects, in [0, 1].
  float predicted_iou = 0;
  // Area above a slightly higher threshold over area above a slightly lower
  // one, in [0, 1]; 1 for an empty mask.
  float stability = 0;
  // Logits; the threshold is 0.
  LowResMask mask;
};

// What one object prompt is answered.
struct ObjectCandidates {
  // That there is an object at all, in [0, 1].
  float object_score = 0;
  // By predicted IoU, best first; three where several were wanted, else one.
  std::vector<ObjectCandidate> candidates;
  // Of the whole batch.
  absl::Duration click;
};

}  // namespace sam3
