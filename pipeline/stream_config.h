#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/given_object.h"
#include "pipeline/media/media_root.h"
#include "pipeline/resume_state.h"
#include "pipeline/segmentation.h"
#include "pipeline/source_url.h"

namespace sam3 {

// What a stream is asked for, free of any wire format.

enum class FrameDelivery { kLatest, kEvery };

enum class StreamSourceKind { kPushedFrames, kPushedChunks, kFile, kUrl };

// Whether, and how, objects are followed from frame to frame.
struct TrackConfig {
  int confirmation_delay_frames = 0;
  // Analysed frames from one on which the detector runs to the next.
  int detect_every = 1;
  int max_objects = 64;
};

struct StreamConfig {
  StreamSourceKind source = StreamSourceKind::kPushedFrames;
  std::shared_ptr<const MediaFile> file;  // of a kFile source
  SourceUrl url;                          // of a kUrl source
  FrameDelivery delivery = FrameDelivery::kEvery;
  std::vector<ConceptPrompt> prompts;
  // Instead of prompts, with `track`.
  std::vector<GivenObject> objects;
  // How many prompts there may be at a time, added ones included.
  size_t max_prompts = 16;
  ConceptOptions options;
  // At most so many analysed frames a second of media time; 0 = all.
  double analyse_fps = 0;
  // Only every n-th decoded frame; 1 = all. Not both.
  int every_nth_frame = 1;
  // Absent: each frame is on its own.
  std::optional<TrackConfig> track;
  // With `track`: what the stream goes on with; null for nothing. `prompts` are
  // as many as its, in its order.
  std::shared_ptr<const ResumeState> resume = nullptr;
};

}  // namespace sam3
