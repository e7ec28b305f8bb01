#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "inference/geometry.h"

namespace sam3 {

// A mask at the model's own resolution. A pixel of the picture is inside where
// `values`, upsampled bilinearly (half-pixel centres, no antialias), exceeds
// `threshold`. For the reference's order of operations the values are
// probabilities and the threshold is 0.5; raw logits with 0 are equally valid.
struct LowResMask {
  int width = 0;
  int height = 0;
  std::vector<float> values;  // height * width, row-major
  float threshold = 0.5f;

  bool empty() const { return values.empty(); }
};

// One instance of a concept.
struct Detection {
  // query_score * presence_score, in [0, 1].
  float score = 0;
  float query_score = 0;
  float presence_score = 0;
  // Which decoder query found it; breaks ties between equal scores.
  int query_index = 0;
  // The detector's box, fractions of the picture; may exceed [0, 1] slightly.
  Box box;
  // Empty when the caller asked for no masks.
  LowResMask mask;
};

// Time spent in the engine's stages, as far as the batch lets them be told
// apart; each member of a batch reports the whole batch's time.
struct EngineTimings {
  absl::Duration encode;
  absl::Duration ground;
};

// Everything found for one (image, prompt) pair, sorted by score, ties by
// query index. Empty is a normal answer.
struct Detections {
  float presence_score = 0;
  std::vector<Detection> detections;
  EngineTimings timings;
};

}  // namespace sam3
