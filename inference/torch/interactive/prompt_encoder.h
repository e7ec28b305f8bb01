#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "inference/model_config.h"
#include "inference/prompt.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Positions in the unit square as random Fourier features
// (Sam3TrackerPositionalEmbedding), computed in fp32.
class FourierPositions {
 public:
  FourierPositions(WeightReader& weights, const std::string& name,
                   int64_t channels);

  // xy [..., 2], fractions of the picture's sides. Returns [..., channels].
  at::Tensor operator()(const at::Tensor& xy) const;
  // Of the centres of a side x side grid's cells, by rows:
  // [side * side, channels].
  at::Tensor Grid(int64_t side) const;

 private:
  const at::Tensor matrix_;  // [2, channels / 2], fp32
};

// Clicks, boxes and earlier masks of single objects as tokens
// (Sam3TrackerPromptEncoder).
class ObjectPromptEncoder {
 public:
  ObjectPromptEncoder(WeightReader& weights, const std::string& name,
                      const ModelConfig& config);

  // How many tokens a prompt makes. The reference fills shorter prompts of a
  // batch up with tokens that take part in every softmax; only prompts of one
  // length go together here, so that none depends on its neighbours.
  static int64_t TokenCount(const ObjectPrompt& prompt);

  // Prompts of one length; clicks first, then the box, as in the reference.
  // Returns [N, T, C].
  at::Tensor Sparse(absl::Span<const ObjectPrompt> prompts) const;

  // Earlier logits [N, 1, 4 * grid, 4 * grid]. Returns [N, grid * grid, C].
  at::Tensor Dense(const at::Tensor& logits) const;
  // What stands for "no earlier mask": [1, 1, C].
  const at::Tensor& no_mask() const { return no_mask_; }

 private:
  struct Convolution {
    at::Tensor weight;
    at::Tensor bias;
  };

  const double pixel_;  // of the model's picture, as a fraction of its side
  const Activation activation_;
  const FourierPositions positions_;
  const at::Tensor kinds_;  // [kinds + 1, C]; the last is "not a point"
  const at::Tensor no_mask_;
  const Convolution first_;
  const LayerNorm first_norm_;
  const Convolution second_;
  const LayerNorm second_norm_;
  const Convolution third_;
};

}  // namespace sam3
