#pragma once

#include "absl/types/span.h"
#include "inference/model_config.h"
#include "inference/prompt.h"
#include "inference/torch/aten.h"
#include "inference/torch/interactive/object_mask_decoder.h"
#include "inference/torch/interactive/prompt_encoder.h"
#include "inference/torch/modules/neck.h"
#include "inference/torch/weights.h"

namespace sam3 {

// One object to mask on one picture. `earlier` [1, 1, 4 * grid, 4 * grid] holds
// the logits that a further click refines; undefined for none.
struct ObjectQuery {
  const ObjectFeatures* features = nullptr;
  ObjectPrompt prompt;
  at::Tensor earlier;
};

// Clicks and boxes to masks of single objects, as Sam3TrackerModel computes
// them on the vision transformer that the detector uses too: its own neck, the
// prompt encoder and the mask decoder. Tensors in, tensors out; immutable after
// construction; called on the engine's thread, inside GuardTorch.
class InteractiveHead {
 public:
  // Reads the tensors that the published file has under "tracker_neck." and
  // "tracker_model."; config.interactive must be there.
  InteractiveHead(WeightReader& weights, const ModelConfig& config);

  // hidden [1, grid, grid, C_vit], the vision transformer's output.
  ObjectFeatures Encode(const at::Tensor& hidden) const;

  // Queries on one picture whose prompts have the same number of tokens and
  // either all or none of which refine earlier logits.
  ObjectMasks Segment(absl::Span<const ObjectQuery> queries) const;

  // The same for pictures whose coarse features are others than the neck's:
  // coarse [N, grid * grid, C], prompts with the same number of tokens, and
  // earlier logits [N, 1, 4 * grid, 4 * grid] or undefined. `features` gives
  // the two finer levels, of 1 or N pictures.
  ObjectMasks Decode(absl::Span<const ObjectPrompt> prompts,
                     const at::Tensor& coarse, const at::Tensor& earlier,
                     const ObjectFeatures& features) const;

 private:
  const Neck neck_;
  const ObjectPromptEncoder prompts_;
  const ObjectMaskDecoder decoder_;
  const at::Tensor positions_;  // [grid * grid, C]
};

// How little a mask changes where its threshold moves by `delta` either way:
// the area of what is surer than `delta` over that of what is surer than
// -delta, 1 where both are empty. logits [..., h, w]; returns [...], fp32.
at::Tensor MaskStability(const at::Tensor& logits, double delta);

// The choice of one mask per object where no several are wanted: the first,
// unless it is unstable, then that of the others that promises the best overlap
// (dynamic multimask via stability). Returns row indexes [N] into K.
at::Tensor ChooseStableMask(const ObjectMasks& masks,
                            const InteractiveConfig& config);

}  // namespace sam3
