#include "pipeline/track_options.h"

#include <algorithm>

namespace sam3 {
namespace {

// Lost frames after which an object is given up: half a minute of a camera
// whose every frame is analysed at 16 a second.
constexpr int kEndAfterLostFrames = 500;

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
  options.hotstart_unmatched_frames = std::min(
      options.hotstart_unmatched_frames, config.confirmation_delay_frames);
  options.hotstart_duplicate_frames = std::min(
      options.hotstart_duplicate_frames, config.confirmation_delay_frames);
  return options;
}

}  // namespace sam3
