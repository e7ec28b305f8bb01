#pragma once

#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// Fuses a picture with a prompt (Sam3DetrEncoder): pre-norm layers of
// self-attention over the picture, cross-attention to the prompt and a
// feed-forward network.
class DetrEncoder {
 public:
  DetrEncoder(WeightReader& weights, const std::string& name,
              const StackConfig& config);

  // The first layer's self-attention sees no prompt: done once per picture and
  // shared by all its prompts. coarse [N, T, C], positions [T, C]. Returns the
  // first layer's state before its cross-attention [N, T, C].
  at::Tensor Prepare(const at::Tensor& coarse,
                     const at::Tensor& positions) const;

  // prepared [N, T, C], prompt [N, S, C], mask additive [N, 1, 1, S] or
  // undefined. Returns [N, T, C]; `layers`, when given, gets every layer's
  // output.
  at::Tensor operator()(const at::Tensor& prepared, const at::Tensor& positions,
                        const at::Tensor& prompt, const at::Tensor& mask,
                        std::vector<at::Tensor>* layers = nullptr) const;

 private:
  struct Layer {
    Layer(WeightReader& weights, const std::string& name,
          const StackConfig& config);
    at::Tensor AttendToPicture(const at::Tensor& x,
                               const at::Tensor& positions) const;
    LayerNorm norm1;
    Attention self_attention;
    LayerNorm norm2;
    Attention cross_attention;
    LayerNorm norm3;
    FeedForward feed_forward;
  };

  std::vector<Layer> layers_;
};

}  // namespace sam3
