#pragma once

#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/interactive/two_way_transformer.h"
#include "inference/torch/modules/upsample.h"
#include "inference/torch/weights.h"

namespace sam3 {

// A picture as the tracker's neck leaves it for single objects, N = 1, finest
// first, already in the decoder's own widths. Channels last.
struct ObjectFeatures {
  at::Tensor fine;    // [1, 4 * grid, 4 * grid, C / 8]
  at::Tensor middle;  // [1, 2 * grid, 2 * grid, C / 4]
  at::Tensor coarse;  // [1, grid * grid, C]
};

// Everything that the decoder says of N objects; K masks each, the first for
// prompts that leave no doubt and the others as a choice.
struct ObjectMasks {
  at::Tensor logits;         // [N, K, 4 * grid, 4 * grid], fp32
  at::Tensor predicted_iou;  // [N, K], fp32, 0..1
  at::Tensor object_logit;   // [N], fp32; the object is there when positive
  at::Tensor mask_tokens;    // [N, K, C]
};

// Masks of single objects (Sam3TrackerMaskDecoder).
class ObjectMaskDecoder {
 public:
  ObjectMaskDecoder(WeightReader& weights, const std::string& name,
                    const ModelConfig& config);

  // sparse [N, T, C]; picture [N, S, C], the coarse features with the dense
  // prompt added; positions [S, C].
  ObjectMasks operator()(const at::Tensor& sparse, const at::Tensor& picture,
                         const at::Tensor& positions,
                         const ObjectFeatures& features) const;

 private:
  const int64_t mask_count_;
  const at::Tensor own_tokens_;  // [2 + K, C]: object, quality, masks
  const TwoWayTransformer transformer_;
  const UpsampleByTwo upsample_first_;
  const LayerNorm upsample_norm_;
  const UpsampleByTwo upsample_second_;
  std::vector<ReluMlp> hypernetworks_;
  const ReluMlp iou_head_;
  const ReluMlp object_head_;
};

}  // namespace sam3
