#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "inference/model_config.h"
#include "inference/prompt.h"
#include "inference/torch/aten.h"
#include "inference/torch/interactive/interactive_head.h"
#include "inference/torch/tracker/memory_attention.h"
#include "inference/torch/tracker/memory_bank.h"
#include "inference/torch/tracker/memory_encoder.h"
#include "inference/torch/weights.h"

namespace sam3 {

// One object to find on one frame, given what it was before.
struct TrackQuery {
  const ObjectFeatures* features = nullptr;  // of the frame
  const MemoryBank* bank = nullptr;          // not empty
  int64_t frame = 0;
  // How many frames' pointers count, this one's included. The reference takes
  // the model's pointer_count in a stream of described objects, and no more
  // than there were frames in one of concepts.
  int64_t pointer_window = 16;
  // Clicks and a box that correct it; empty while it is only followed.
  ObjectPrompt prompt;
};

// What N objects are on a frame.
struct TrackedObjects {
  // [N, 4 * grid, 4 * grid], fp32; -1024 everywhere for one that is not there.
  at::Tensor logits;
  at::Tensor predicted_iou;  // [N], fp32, 0..1
  at::Tensor object_logit;   // [N], fp32; the object is there when positive
  at::Tensor pointers;       // [N, C]
};

// Objects through a video: the decoder of single objects on features that have
// attended to a memory, as Sam3TrackerVideoModel computes it. Tensors in,
// tensors out; immutable after construction; called on the engine's thread,
// inside GuardTorch.
class TrackerHead {
 public:
  // Reads the memory's tensors, which the published file has under
  // "tracker_model."; config.tracker must be there, and `decoder` must outlive
  // the head.
  TrackerHead(WeightReader& weights, const ModelConfig& config,
              const InteractiveHead& decoder);

  // Follows objects by one frame, of any streams, those together whose memories
  // and prompts have the same sizes. In the order of the queries. However many
  // there are, what this takes beside the answer is bounded.
  TrackedObjects Track(absl::Span<const TrackQuery> queries) const;

  // Objects that clicks and boxes describe on a frame before anything is
  // remembered of them; the prompts need not be alike.
  TrackedObjects Start(const ObjectFeatures& features,
                       absl::Span<const ObjectPrompt> prompts) const;

  // Objects that masks describe: [N, h, w], 0 to 1, of any size. The masks come
  // back as logits of -10 and 10; the decoder only makes the pointers.
  TrackedObjects StartFromMasks(const ObjectFeatures& features,
                                const at::Tensor& masks) const;

  // What StartFromMasks makes of masks, at the size of the model's picture.
  at::Tensor GivenLogits(const at::Tensor& masks) const;

  // What is to be remembered of objects on a frame: [N, grid * grid,
  // memory_channels], bf16. logits [N, h, w], of any size; `described` where
  // somebody said what the object is: then the mask is taken as it is, else
  // with its doubts.
  at::Tensor Remember(const ObjectFeatures& features, const at::Tensor& logits,
                      const at::Tensor& object_logit, bool described) const;

  // The logits [n, h, w] of the objects with these n numbers. Called from
  // several threads.
  using LogitsOf = absl::FunctionRef<at::Tensor(absl::Span<const size_t>)>;
  // The same, of logits that are large: made when they are needed, no more of
  // them exist than go through the network together.
  at::Tensor Remember(const ObjectFeatures& features, LogitsOf logits,
                      const at::Tensor& object_logit, bool described) const;

  // Logits [N, h, w] at the size of the model's picture, by way of which the
  // reference remembers objects that are described by clicks.
  at::Tensor AtPictureSize(const at::Tensor& logits) const;

 private:
  // The mask to go on with: the best of several where they are weighed, else
  // the first or what replaces it when it is unstable.
  TrackedObjects Choose(const ObjectMasks& masks, bool weigh) const;
  bool Weighs(const ObjectPrompt& prompt, bool start) const;
  ObjectMemories Gather(const std::vector<MemoryBank::View>& views,
                        absl::Span<const int64_t> windows) const;
  // Time codes of pointers: distances [P] as parts of the longest one. [P,
  // memory_channels].
  at::Tensor PointerTimes(const at::Tensor& distances) const;

  at::Tensor RememberTogether(const ObjectFeatures& features,
                              const at::Tensor& logits,
                              const at::Tensor& object_logit,
                              bool described) const;

  const ModelConfig config_;
  const bool on_cpu_;
  const InteractiveHead& decoder_;
  const MemoryAttention attention_;
  const MemoryEncoder encoder_;
  const at::Tensor no_memory_;    // [1, 1, C]
  const at::Tensor no_pointer_;   // [1, C]
  const at::Tensor frame_times_;  // [memory_count, memory_channels]
  const at::Tensor occlusion_;    // [1, 1, memory_channels], or undefined
  const at::Tensor mask_weight_;  // [1, 1, 4, 4]
  const at::Tensor mask_bias_;    // [1]
  const ReluMlp pointer_;
  std::optional<Linear> pointer_time_;
};

}  // namespace sam3
