#include "pipeline/track_options.h"

#include <algorithm>

namespace sam3 {
namespace {

// Lost frames after which an object is given up: half a minute of a camera
// whose every frame is analysed at 16 a second.
constexpr int kEndAfterLostFrames = 500;

// Detections that have to speak against an object before it is false; fewer
// where the detector runs less often.
int Doubts(int frames, const TrackConfig& config) {
  const int most = std::min(frames, config.confirmation_delay_frames);
  return (most + config.detect_every - 1) / config.detect_every;
}

}  // namespace

AssociationOptions MakeAssociationOptions(const TrackConfig& config) {
  AssociationOptions options;
  // Every detection that comes here has passed its prompt's own threshold.
  options.detection_score = 0;
  options.max_objects = config.max_objects;
  options.end_after_lost_frames = kEndAfterLostFrames;
  options.confirmation_delay_frames = config.confirmation_delay_frames;
  // What was told as certain is not taken back: the reference's rules against
  // false objects hold until an object is confirmed.
  options.remove_in_hotstart = config.confirmation_delay_frames > 0;
  options.hotstart_frames = config.confirmation_delay_frames;
  options.hotstart_unmatched_frames =
      Doubts(options.hotstart_unmatched_frames, config);
  options.hotstart_duplicate_frames =
      Doubts(options.hotstart_duplicate_frames, config);
  return options;
}

}  // namespace sam3
