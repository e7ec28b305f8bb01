#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "inference/detection.h"
#include "inference/given_objects.h"
#include "inference/image.h"
#include "inference/object_candidates.h"
#include "inference/prompt.h"
#include "inference/stream_tracks.h"

namespace sam3 {

// What the vision encoder made of one picture. Opaque and immutable; may be
// kept, shared and released on any thread, used only with the engine that
// made it.
class ImageEmbedding {
 public:
  virtual ~ImageEmbedding() = default;
  // Device and host bytes that the handle keeps alive; the charge in caches.
  virtual size_t size_bytes() const = 0;
};

// What the text encoder made of one prompt. Same rules as ImageEmbedding.
class TextEmbedding {
 public:
  virtual ~TextEmbedding() = default;
  virtual size_t size_bytes() const = 0;
};

struct GroundOptions {
  // Detections below this score are left out, inclusive lower bound excluded:
  // kept are scores strictly greater. In [0, 1]; 0 keeps every query.
  float score_threshold = 0.5f;
  // At most this many, best first. 0 = no limit.
  int max_detections = 0;
  // False leaves every mask empty and skips the mask head.
  bool want_masks = true;
  // Masks as logits with a threshold of 0, as tracking takes them, instead of
  // the reference's probabilities.
  bool mask_logits = false;
};

// One (image, prompt) pair of a batch. Either text or exemplars may be absent,
// not both; exemplars without text use the word "visual", whose embedding the
// caller passes as `text` like any other.
struct GroundItem {
  std::shared_ptr<const ImageEmbedding> image;
  std::shared_ptr<const TextEmbedding> text;
  std::vector<Exemplar> exemplars;
  GroundOptions options;
};

// One object to mask on one picture. A prompt without clicks, box and earlier
// mask is allowed: the model then masks what it takes for the main thing.
struct ClickItem {
  std::shared_ptr<const ImageEmbedding> image;
  ObjectPrompt prompt;
  // Logits of the model's mask size, of an earlier answer that is refined; null
  // for none.
  std::shared_ptr<const LowResMask> earlier;
  // Several masks to choose from, or the one that the model would choose.
  bool multimask = true;
};

// Work that was launched but whose results were not copied back yet. Take()
// blocks until they are, on the engine's thread, and may be called once.
template <typename T>
class Pending {
 public:
  virtual ~Pending() = default;
  virtual absl::StatusOr<T> Take() = 0;
};

// A raw model output, for people who check or build on the model.
struct NamedTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;  // row-major
};

// What a model's files hold, with what this program does not use of them.
struct StoredTotals {
  int64_t tensor_count = 0;
  int64_t parameter_count = 0;
  int64_t size_bytes = 0;
};

struct EngineInfo {
  std::string model_name;         // folder name, or "embedded demo (shapes)"
  std::string model_fingerprint;  // hash over configuration and weights
  std::string device;             // "cpu", "cuda:0"
  std::string device_name;        // marketing name, or the CPU's
  std::string dtype;              // "fp32", "bf16"
  int64_t parameter_count = 0;    // of what runs
  StoredTotals stored;
  int image_size = 0;         // side of the square that the model sees, pixels
  int mask_size = 0;          // side of its low-resolution masks, pixels
  int query_count = 0;        // most detections that one prompt can have
  bool takes_clicks = false;  // false: Click() is not offered
  bool tracks = false;        // false: Track() and Follow() are not offered
};

struct EngineMemory {
  size_t weights_bytes = 0;
  // In use beyond the weights, caches included; 0 where it cannot be told.
  size_t working_bytes = 0;
};

// One SAM 3 model on one device: the seam between the service and libtorch.
//
// Threads: every call comes from the thread that owns the engine, except
// host_allocator() and info(), which are safe from any thread. Handles may be
// released anywhere.
// Blocking: EncodeImages, EncodeTexts, Ground and Click launch work and return
// before it is finished where the device allows that; Pending::Take blocks.
// Errors: INVALID_ARGUMENT for input that the model cannot take,
// RESOURCE_EXHAUSTED when the device is out of memory (the engine stays
// usable), UNAVAILABLE when the device is lost for good (the process should
// drain and exit), INTERNAL for anything else. A failed call fails all its
// items and nothing else.
//
// A result never depends on what else was in the batch, except for the
// rounding of batched kernels.
class Engine {
 public:
  virtual ~Engine() = default;

  // Where pixels for EncodeImages should live. Outlives the engine's images
  // only as long as the engine itself.
  virtual HostAllocator& host_allocator() = 0;

  // One embedding per image, in order. Resizes and normalises like the
  // reference.
  virtual absl::StatusOr<std::vector<std::shared_ptr<const ImageEmbedding>>>
  EncodeImages(absl::Span<const Image> images) = 0;

  // One embedding per text, in order.
  virtual absl::StatusOr<std::vector<std::shared_ptr<const TextEmbedding>>>
  EncodeTexts(absl::Span<const TokenizedText> texts) = 0;

  // One Detections per item, in order. Items may repeat images and texts, and
  // mix thresholds, exemplars and options freely.
  virtual absl::StatusOr<std::unique_ptr<Pending<std::vector<Detections>>>>
  Ground(absl::Span<const GroundItem> items) = 0;

  // One ObjectCandidates per item, in order. Items may repeat images and mix
  // prompts freely. FAILED_PRECONDITION when the model takes no clicks.
  virtual absl::StatusOr<
      std::unique_ptr<Pending<std::vector<ObjectCandidates>>>>
  Click(absl::Span<const ClickItem> items) = 0;

  // For a new stream. From any thread; `options` must be valid, and so must the
  // sizes of the seeds' masks.
  virtual std::shared_ptr<StreamTracks> NewTracks(
      const AssociationOptions& options, TrackSeeds seeds) = 0;

  // The next frame of each of several streams, whose objects it follows; a
  // stream is among the items once. In order. Blocks. When it fails, no stream
  // has changed. FAILED_PRECONDITION when the model does not track.
  virtual absl::StatusOr<std::vector<TrackedFrame>> Track(
      absl::Span<const TrackItem> items) = 0;

  // The same for objects that somebody gives; from any thread.
  virtual std::shared_ptr<StreamTracks> NewGivenTracks() = 0;

  // As Track(), of given objects: the next frames, or answers about the newest.
  virtual absl::StatusOr<std::vector<TrackedFrame>> Follow(
      absl::Span<const FollowItem> items) = 0;

  // The model's raw float outputs for one pair: pixel_values [3,S,S],
  // pred_logits [Q], presence_logits [1], pred_boxes [Q,4] (xyxy, 0..1),
  // pred_masks [Q,h,w] (logits), semantic_seg [h,w]. Slow; for tools.
  virtual absl::StatusOr<std::vector<NamedTensor>> RawConceptOutputs(
      const Image& image, const TokenizedText& text,
      absl::Span<const Exemplar> exemplars) = 0;

  // The same for one object: pixel_values [3,S,S], pred_masks [M,h,w] (logits),
  // iou_scores [M], object_score_logits [1]; M is 3 with `multimask`, else 1.
  virtual absl::StatusOr<std::vector<NamedTensor>> RawObjectOutputs(
      const Image& image, const ObjectPrompt& prompt, bool multimask) = 0;

  // Runs the whole model once per batch size, so that no request pays for
  // first-use costs. Blocks.
  virtual absl::Status Warmup(absl::Span<const int> batch_sizes) = 0;

  virtual const EngineInfo& info() const = 0;
  virtual EngineMemory memory() const = 0;
};

}  // namespace sam3
