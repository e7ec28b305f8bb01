#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/geometry.h"
#include "inference/prompt.h"
#include "pipeline/mask.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// A click in the units that the client chose.
struct PointedAt {
  // Pixels of the oriented picture, or fractions of it when `normalized`.
  float x = 0;
  float y = 0;
  bool normalized = false;
  ClickLabel label = ClickLabel::kPositive;
};

// One object that a client points at.
struct PointedObject {
  struct Frame {
    Box box;
    bool normalized = false;
  };
  std::string prompt_id;  // empty when the client gave none
  std::vector<PointedAt> points;
  std::optional<Frame> box;
  // Names kept logits to be refined; empty for none.
  std::string logits_handle;
};

struct ObjectOptions {
  bool multimask = true;
  // Otherwise only the mask of the highest predicted IoU is answered.
  bool return_all_candidates = false;
  bool save_logits = false;
  // Refine what was saved for the same box and fewer points.
  bool load_logits = false;
  MaskOptions mask;
  ResultFields fields;
};

struct ObjectRequest {
  ImageSource image;
  std::vector<PointedObject> prompts;
  ObjectOptions options;
};

struct ObjectMask {
  float predicted_iou = 0;
  float stability = 0;
  Box box;           // tight on the mask, pixels, half-open
  int64_t area = 0;  // pixels of the full-resolution mask
  EncodedMask mask;
  std::string logits_handle;  // empty when nothing was kept
};

struct ObjectResult {
  int prompt_index = 0;
  std::string prompt_id;
  float object_score = 0;
  bool refined = false;           // earlier logits took part
  std::vector<ObjectMask> masks;  // best first
};

struct ObjectResponse : StillResponse {
  std::vector<ObjectResult> results;  // one per prompt, in request order
};

}  // namespace sam3
