#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "inference/association/track_table.h"

namespace sam3 {

// Logits are fp32 at the model's low resolution, row-major, inside where
// greater than 0; all of a frame have one size. They belong to the caller and
// need to live only as long as the call.
struct FrameDetection {
  int prompt = 0;
  float score = 0;
  absl::Span<const float> logits;
};

struct PropagatedTrack {
  int64_t id = 0;
  float object_score_logit = 0;
  absl::Span<const float> logits;  // after FillHoles()
};

// What detector and tracker found on one frame.
struct FrameInput {
  // Ascends from call to call, 0 or more; gaps are allowed and count as time.
  int64_t frame = 0;
  // Of all prompts, unfiltered. Equal scores and new ids go by this order; the
  // reference's is prompt after prompt, each by query index.
  std::vector<FrameDetection> detections;
  // Every object of the table, in its order.
  std::vector<PropagatedTrack> tracks;
  // False: nobody looked for detections, so that there are none and their
  // absence says nothing. Not in the reference.
  bool detected = true;
  // False: no detection becomes an object. Not in the reference.
  bool takes_new = true;
};

// A detection, as its index in FrameInput::detections, and an object.
struct ObjectDetection {
  int64_t id = 0;
  int detection = 0;

  bool operator==(const ObjectDetection&) const = default;
};

// What memory is told of an object's propagated logits.
enum class MemoryMask {
  kWhole,    // they are written as they are
  kClamped,  // logits above -10 become -10
  kAbsent,   // all logits become -10
};

struct MemoryWrite {
  int64_t id = 0;
  MemoryMask mask = MemoryMask::kWhole;
  // Whether any pixel is left inside; memory takes +10 or else -10 for the
  // object score logit.
  bool present = false;

  bool operator==(const MemoryWrite&) const = default;
};

enum class MaskSource {
  kTrack,            // the propagated logits
  kDetection,        // the detection's logits
  kFilledDetection,  // the detection's logits after FillHoles()
};

// One object in the answer. Its mask can still be empty at another resolution.
struct ObjectOutput {
  int64_t id = 0;
  int prompt = 0;
  // kTentative, kConfirmed or kLost.
  TrackPhase phase = TrackPhase::kConfirmed;
  // Of the detection at birth; never changes.
  float score = 0;
  // Where masks of one prompt overlap in the answer, the greater one has the
  // pixel: the object score's probability, at birth the detection's.
  float overlap_score = 0;
  MaskSource source = MaskSource::kTrack;
  int detection = -1;  // for the detection's sources, its index
};

// What is to happen after one frame. Every list ascends by id; one object's
// events are in the order in which they happened.
struct FramePlan {
  // New objects: their detection's mask prompts the tracker.
  std::vector<ObjectDetection> births;
  // Detections that would be objects but for max_objects or takes_new.
  int births_beyond_cap = 0;
  // Objects that the tracker drops; nothing else mentions them but `events`.
  std::vector<int64_t> removals;
  // Objects that vanish on this frame behind one of the same prompt.
  std::vector<int64_t> suppressed;
  // Objects whose frame becomes a conditioning frame, and the detection that
  // confirms them; what it does is ReconditionSource's matter.
  std::vector<ObjectDetection> reconditioned;
  // Every propagated object that stays.
  std::vector<MemoryWrite> memory;
  std::vector<ObjectOutput> outputs;
  std::vector<TrackEvent> events;
};

// Decides what one frame's detections mean for the objects of `table`, and
// brings the table up to date; the tracker is then to do what the plan says.
// The order of the steps is that of the reference: detections are chosen, then
// matched; counters, removals and reconditioning follow from the matches; then
// occlusion and competition for pixels, in which objects removed on this frame
// still take part.
//
// Equal inputs give equal plans: scores that are equal go by the order of
// detections, overlaps and logits that are equal by the order of ids, births of
// one frame count as equally old and the lowest id as the elder.
//
// Threads: the table's. Does not block; takes a fraction of a millisecond for
// each object and detection. Inputs that break the conditions above are a bug
// of the caller; scores and logits may be anything, NaN included.
//
// Reference: run_tracker_update_planning_phase and build_outputs of
// Sam3VideoModel, except that a removal never shifts the masks of other ids.
FramePlan PlanFrame(const FrameInput& input, TrackTable* table);

}  // namespace sam3
