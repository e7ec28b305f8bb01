#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "inference/association/frame_plan.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// An object as the tracker's memory finds it on a frame.
struct PropagatedObject {
  int64_t id = 0;
  float object_logit = 0;
  // height * width, row-major; inside where greater than 0.
  std::vector<float> logits;
};

// One frame of one stream on the host's side: puts what the detector found and
// what the memory propagated before the association, and turns its plan into
// masks. The engine does what the plan says with its memory in between.
//
// Threads: one. Does not block. Detections are borrowed and must outlive it.
class ConceptFrame {
 public:
  // The item's tracks and picture are not looked at. `objects` are all of the
  // table's, in its order. All masks are width x height. Brings the table up to
  // date.
  ConceptFrame(int64_t frame, int width, int height, const TrackItem& item,
               std::vector<PropagatedObject> objects, TrackTable* table);
  ConceptFrame(const ConceptFrame&) = delete;
  ConceptFrame& operator=(const ConceptFrame&) = delete;

  const FramePlan& plan() const { return plan_; }

  // The logits that memory is to have of an object.
  std::vector<float> MemoryLogits(const MemoryWrite& write) const;
  // A new object's mask as it is prompted, of ones and zeros: where the
  // detection is a little surer than even.
  std::vector<float> BirthMask(const ObjectDetection& birth) const;

  // The same of an object that goes on from a seed.
  std::vector<float> SeedMask(int64_t id) const;

  // What the stream is told, `events` of before this frame first.
  TrackedFrame Answer(std::vector<TrackEvent> events) const;

 private:
  const PropagatedObject& Object(int64_t id) const;
  std::vector<float> OutputLogits(const ObjectOutput& output) const;

  const int width_;
  const int height_;
  const int fill_hole_area_;
  const std::vector<TrackedPrompt> prompts_;
  const std::vector<PropagatedObject> objects_;  // holes filled
  // In the reference's order: prompt after prompt, each by query index.
  std::vector<const Detection*> detections_;
  FramePlan plan_;
};

}  // namespace sam3
