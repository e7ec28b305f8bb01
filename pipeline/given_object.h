#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "inference/given_objects.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// Objects that a stream's client gives, free of any wire format.

// An object to follow, as the client describes it: by points, a box or both, or
// by a mask of the frame's size.
struct GivenObject {
  int64_t object_id = 0;
  std::vector<PointedAt> points = {};
  std::optional<PointedObject::Frame> box = std::nullopt;
  std::shared_ptr<const GivenMask> mask = nullptr;
};

// What a followed object is on the newest frame, given what was said of it.
struct ObjectPreview {
  int64_t frame_index = 0;
  Instance instance;
  bool committed = false;
};

}  // namespace sam3
