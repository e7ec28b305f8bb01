#pragma once

#include "absl/status/status.h"

namespace sam3 {

// How a track is strengthened by a detection that confirms it.
enum class ReconditionSource {
  // The frame becomes a conditioning frame with the mask that the tracker
  // found; the answer of this frame is the detection's mask. Hugging Face.
  kTrackerMask,
  // The detection's mask prompts the tracker anew: a conditioning frame with a
  // new pointer; memory and answer keep the tracker's mask. Meta.
  kDetectionPrompt,
};

// Thresholds of concept tracking. The defaults are the shipped ones, and
// Hugging Face's behaviour on a whole video; where only Meta's differs, or none
// exists, the field says so. Overlaps are intersections over unions of masks at
// the model's low resolution; scores are probabilities unless they say logits.
// A plain value; any thread.
struct AssociationOptions {
  // A detection counts when its score is greater.
  float detection_score = 0.5f;
  // Of two detections of one prompt that overlap by more, the better one stays;
  // 0 or less: all stay.
  float detection_overlap = 0.1f;
  // A detection that overlaps a track by this much or more matches it, and is
  // no new object.
  float match_overlap = 0.1f;
  // A visible track that no detection overlaps by this much or more is
  // unmatched on that frame.
  float track_match_overlap = 0.5f;
  // An unmatched detection becomes an object when its score is this or more;
  // while nothing at all is tracked, every detection that counts does.
  float birth_score = 0.7f;
  // Objects tracked at a time, of all prompts together; of the new ones beyond
  // it those with the highest scores are taken.
  int max_objects = 10000;

  // Whether young objects that look false are removed. False is Hugging Face's
  // behaviour on frames that arrive one by one: counted, never removed.
  bool remove_in_hotstart = true;
  // Frames from its birth on during which an object can be removed; 0: never.
  int hotstart_frames = 15;
  // Unmatched frames, not necessarily consecutive, at which a young object is
  // removed. At most hotstart_frames.
  int hotstart_unmatched_frames = 8;
  // Frames on which one detection matched a young object and one born before
  // it, at which the younger is removed. At most hotstart_frames.
  int hotstart_duplicate_frames = 8;
  // Age in frames at which an object is confirmed, 0 to 15; younger ones are
  // tentative. As many as hotstart_frames: what is confirmed is never found
  // false afterwards. 0: confirmed at birth. Not in the reference.
  int confirmation_delay_frames = 0;

  // Counts down on unmatched frames and up on matched ones, within its limits;
  // an object whose counter is not above 0 is lost.
  int keep_alive_initial = 30;
  int keep_alive_max = 30;
  int keep_alive_min = -1;
  // Whether a frame with an empty mask counts down too.
  bool keep_alive_counts_empty = false;
  // Whether an object whose counter has run out is left out of the answers.
  // Needs remove_in_hotstart, as in the reference.
  bool hide_at_keep_alive_end = false;
  // Consecutive lost frames after which an object is removed; 0: objects are
  // kept for ever, as in the reference, which an endless stream cannot afford.
  int end_after_lost_frames = 0;

  // Tracks are reconditioned on frames whose index is a multiple; 0: never.
  int recondition_period_frames = 16;
  // Least score of the detection, and bound that the track's object score
  // LOGIT must exceed.
  float recondition_score = 0.8f;
  // Least overlap of the detection and the track.
  float recondition_overlap = 0.8f;
  ReconditionSource recondition_source = ReconditionSource::kTrackerMask;

  // Of two tracks of one prompt that overlap by this much or more, the one
  // occluded more recently is suppressed; 0 or less: none is, and occlusions
  // are not remembered.
  float occlusion_overlap = 0.7f;
  // Least share of its area that a mask must keep where masks of one prompt
  // compete for pixels; below, memory is told that the object is absent.
  float memory_area_share = 0.3f;

  // Area in pixels, at the model's low resolution, of the largest holes that
  // are filled in masks and of the largest specks that are wiped off them; 0:
  // none.
  int fill_hole_area = 16;
};

// kInvalidArgument naming every field that is out of its range.
absl::Status ValidateAssociationOptions(const AssociationOptions& options);

}  // namespace sam3
