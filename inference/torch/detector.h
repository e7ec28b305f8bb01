#pragma once

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "inference/engine_factory.h"
#include "inference/model_config.h"
#include "inference/prompt.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/detr_decoder.h"
#include "inference/torch/modules/detr_encoder.h"
#include "inference/torch/modules/geometry_encoder.h"
#include "inference/torch/modules/mask_head.h"
#include "inference/torch/modules/neck.h"
#include "inference/torch/modules/scorer.h"
#include "inference/torch/modules/text_encoder.h"
#include "inference/torch/modules/vit.h"
#include "inference/torch/weights.h"

namespace sam3 {

// What the vision encoder made of one picture; batch dimension 1 throughout.
struct PictureFeatures {
  FeaturePyramid pyramid;
  // The first encoder layer's prompt-independent half, [1, T, C].
  at::Tensor prepared;
};

// The same with the vision transformer's output, which other heads start from.
struct EncodedPicture {
  PictureFeatures features;
  at::Tensor hidden;  // [1, grid, grid, C_vit]
};

// One (picture, prompt) pair. `text` is [L, C], padding already cut.
struct ConceptPair {
  const PictureFeatures* picture = nullptr;
  at::Tensor text;
  absl::Span<const Exemplar> exemplars;
};

// A batch of pairs after the decoder, ready for its masks.
struct GroundedPairs {
  at::Tensor logits;    // [N, Q], fp32
  at::Tensor boxes;     // [N, Q, 4], fp32, xyxy in fractions
  at::Tensor presence;  // [N], fp32, logit
  at::Tensor queries;   // [N, Q, C]
  at::Tensor encoded;   // [N, T, C]
  at::Tensor prompt;    // [N, S, C]
  at::Tensor valid;     // [N, S], 1 for tokens that count
  at::Tensor mask;      // [N, 1, 1, S], additive; undefined if all count
  std::vector<const PictureFeatures*> pictures;
};

// SAM 3's concept detector (Sam3Model): tensors in, tensors out. Immutable
// after construction; called on the engine's thread, inside GuardTorch.
//
// Pairs of a batch may have prompts of different lengths: the shorter are
// padded and the padding is masked out of every softmax and mean, where it
// contributes an exact zero.
class Detector {
 public:
  Detector(WeightReader& weights, const ModelConfig& config,
           ClassTokenRule class_token);

  // pixels [N, 3, S, S], normalised; one result per picture.
  std::vector<EncodedPicture> EncodePictures(const at::Tensor& pixels) const;

  // ids [N, L]. Returns [N, L, C].
  at::Tensor EncodeTexts(const at::Tensor& ids) const { return text_(ids); }

  GroundedPairs Ground(absl::Span<const ConceptPair> pairs) const;

  // Pixel embeddings of some pairs of a batch: [rows, C, h, w].
  at::Tensor PixelEmbeddings(const GroundedPairs& pairs,
                             absl::Span<const int64_t> rows) const;

  const MaskHead& mask_head() const { return mask_head_; }
  const ModelConfig& config() const { return config_; }
  at::Device device() const { return positions_.device(); }
  at::ScalarType dtype() const { return positions_.scalar_type(); }

 private:
  // Fills prompt, valid and mask.
  void AssemblePrompts(absl::Span<const ConceptPair> pairs,
                       GroundedPairs* out) const;

  const ModelConfig config_;
  const ClassTokenRule class_token_;
  const Vit vit_;
  const Neck neck_;
  const TextEncoder text_;
  const GeometryEncoder geometry_;
  const DetrEncoder encoder_;
  const DetrDecoder decoder_;
  const Scorer scorer_;
  const MaskHead mask_head_;
  const at::Tensor positions_;  // [T, C], sine code of the coarse grid
};

}  // namespace sam3
