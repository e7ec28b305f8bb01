#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/detection.h"
#include "inference/engine.h"
#include "inference/image.h"
#include "inference/object_candidates.h"
#include "inference/prompt.h"
#include "pipeline/request_context.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// One prompt as the engine takes it.
struct EnginePrompt {
  TokenizedText text;
  std::vector<Exemplar> exemplars;
  GroundOptions options;
};

// One object as the engine takes it.
struct EngineObject {
  ObjectPrompt prompt;
  std::shared_ptr<const LowResMask> earlier;
  bool multimask = true;
};

// What the device thread needs to work on one picture.
struct EngineInput {
  // Pixels; not read when `embedding` is set.
  Image image;
  std::shared_ptr<const ImageEmbedding> embedding;
  // Under which name the new embedding is kept; absent for frames.
  std::optional<ImageInfo> keep_as;
  // With neither, the picture is only embedded.
  std::vector<EnginePrompt> prompts;
  std::vector<EngineObject> objects;
  // A stream's objects, which this frame's prompts are followed with; null
  // where nothing is followed.
  std::shared_ptr<StreamTracks> tracks;
  // The stream's numbers of the prompts, in order, with `tracks`; `prompts` is
  // empty where they are only followed.
  std::vector<int> prompt_numbers;
  // With `tracks`: whether there is memory for new objects.
  bool takes_new_objects = true;
  // A stream's given objects, followed on this picture, whose embedding it
  // gets, or asked about, without a picture.
  std::optional<FollowItem> follow;

  bool has_picture() const {
    return !follow.has_value() || follow->questions.empty();
  }
};

struct EngineOutput {
  std::vector<Detections> detections;     // one per asked prompt, in order
  std::vector<ObjectCandidates> objects;  // one per object, in order
  std::optional<TrackedFrame> tracked;    // where objects are followed
  bool embedding_cache_hit = false;
  absl::Duration queue;
  absl::Duration encode;
  absl::Duration ground;
};

// One picture on its way through the scheduler and the device. What it will be
// run on is asked for only when its batch is formed, so that a stream can hand
// out its newest frame.
//
// Owned by whoever holds it: the maker, the scheduler, the device worker.
// Whoever holds it last calls Finish() exactly once.
class Job {
 public:
  struct Facts {
    // 0 for stills; otherwise one lane for the stream's frames, one frame per
    // batch.
    uint64_t stream_id = 0;
    // Pictures to encode: 0 when the embedding is already at hand.
    int image_count = 1;
    // Expected (picture, prompt) pairs.
    int pair_count = 1;
    // Quick and waited for: clicks on a picture whose embedding is at hand, a
    // stream's among them.
    bool is_click = false;
    // Host memory that is held while the job waits.
    size_t size_bytes = 0;
  };

  Job(std::shared_ptr<RequestContext> context, Facts facts)
      : context_(std::move(context)), facts_(facts) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  const RequestContext& context() const { return *context_; }
  const Facts& facts() const { return facts_; }

  // Called once, on the device thread, when the batch is formed. Nothing means
  // that there is no longer anything to do; Finish() is then called with
  // CANCELLED. Must not block.
  virtual std::optional<EngineInput> TakeInput() = 0;

  // Takes the outcome; from any thread, no lock held. Must not block.
  virtual void Finish(absl::StatusOr<EngineOutput> output) = 0;

 private:
  const std::shared_ptr<RequestContext> context_;
  const Facts facts_;
};

}  // namespace sam3
