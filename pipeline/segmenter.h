#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/engine.h"
#include "inference/tokenizer.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/request_context.h"
#include "pipeline/segmentation.h"
#include "pipeline/source_url.h"
#include "pipeline/stream_events.h"
#include "pipeline/stream_session.h"

namespace sam3 {

// What the engine can carry, measured at warm-up.
struct Capacity {
  absl::Duration per_image;   // picture encoded and one prompt grounded
  absl::Duration per_prompt;  // each further prompt on the same picture
  int stream_slots_free = 0;
  int queued_jobs = 0;
};

// What is known of an already embedded picture.
struct CachedImage {
  ImageInfo info;
};

// The door to the pipeline: everything that the service and the command line
// ask for goes through here. Pictures are decoded on a pool, batched with
// whatever else waits, run on the engine's own thread and encoded on another
// pool.
//
// Threads: any; no call blocks. `done` is called exactly once, from a pool
// thread or from within the call, and must not block.
// Errors: INVALID_ARGUMENT (undecodable picture), NOT_FOUND (`image_id` not
// cached), FAILED_PRECONDITION (`image_id` bound to other bytes, URL without an
// answer), PERMISSION_DENIED (URL that is not allowed), RESOURCE_EXHAUSTED
// (queue full, limits, device memory), DEADLINE_EXCEEDED, CANCELLED,
// UNAVAILABLE (draining or device lost), INTERNAL. They carry the reason, the
// field and the retry delay of pipeline/error_reason.h.
class Segmenter {
 public:
  using ConceptDone = std::function<void(absl::StatusOr<ConceptResponse>)>;
  using ObjectDone = std::function<void(absl::StatusOr<ObjectResponse>)>;
  using EmbedDone = std::function<void(absl::StatusOr<EmbedResponse>)>;

  virtual ~Segmenter() = default;

  virtual void SegmentConcepts(ConceptRequest request,
                               std::shared_ptr<RequestContext> context,
                               ConceptDone done) = 0;

  // UNIMPLEMENTED when the model takes no clicks; NOT_FOUND also for logits
  // that are not kept.
  virtual void SegmentObjects(ObjectRequest request,
                              std::shared_ptr<RequestContext> context,
                              ObjectDone done) = 0;

  virtual void EmbedImage(ImageSource image,
                          std::shared_ptr<RequestContext> context,
                          EmbedDone done) = 0;

  // `listener` must live until Detach(); it may be called before this returns.
  // A prompt without an id gets its position ("0"). RESOURCE_EXHAUSTED: no slot
  // is free; PERMISSION_DENIED: `url`; INVALID_ARGUMENT: `resume` makes no
  // sense.
  virtual absl::StatusOr<std::shared_ptr<StreamSession>> OpenStream(
      StreamConfig config, std::shared_ptr<RequestContext> context,
      StreamListener* listener) = 0;

  // The cached picture that `image_id` or a content digest names, if any.
  virtual std::optional<CachedImage> FindImage(
      const std::string& tenant, const std::string& image_id) const = 0;
  virtual std::optional<CachedImage> FindContent(
      const std::string& tenant, absl::string_view content) const = 0;

  // Whether a picture may be fetched from there, as far as the URL tells.
  virtual absl::Status CheckUrl(const SourceUrl& url) const = 0;

  virtual const Tokenizer& tokenizer() const = 0;
  virtual const EngineInfo& engine_info() const = 0;
  virtual const ImageLimits& image_limits() const = 0;
  virtual Capacity capacity() const = 0;

  // OK while new work is taken; UNAVAILABLE while draining (DRAINING) and for
  // good once the device is lost (DEVICE_LOST: drain and exit).
  virtual absl::Status Health() const = 0;

  // Refuses new work with UNAVAILABLE, finishes what was accepted, and returns
  // when nothing is left or `deadline` has passed; then what is left ends with
  // UNAVAILABLE. Streams are told at once (GoingAway) and served on for
  // SegmenterOptions::drain_notice, but no longer than half of the time; then
  // they take no more input, answer the frames that they have and end with
  // UNAVAILABLE. Blocks; safe to call again.
  virtual void Drain(absl::Time deadline) = 0;
};

}  // namespace sam3
