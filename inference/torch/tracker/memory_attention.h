#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/tracker/row_folded_attention.h"
#include "inference/torch/weights.h"

namespace sam3 {

// What N objects remember, all of them as much: F frames and P pointer tokens.
struct ObjectMemories {
  // [N, F * grid * grid, memory_channels]: frames after each other, by rows.
  at::Tensor frames;
  // What is added to them for keys: the time codes, the place being known.
  at::Tensor frame_times;    // [N, F, memory_channels]
  at::Tensor pointers;       // [N, P, memory_channels]
  at::Tensor pointer_times;  // [N, P, memory_channels]
};

// The features of a frame in the light of what objects were before
// (Sam3TrackerVideoMemoryAttention). Some of its products are not done as they
// are written there, with the same result: the first layer's self-attention,
// which knows nothing of the objects, runs once for all; values are projected
// after they were averaged, not before, since the weights of an average sum to
// 1; and keys are turned and projected in half (RowFoldedAttention).
//
// Immutable after construction; called on the engine's thread, in GuardTorch.
class MemoryAttention {
 public:
  MemoryAttention(WeightReader& weights, const std::string& name,
                  const ModelConfig& config);

  // features [1 or N, grid * grid, C]; those of one frame serve all objects.
  // Returns [N, grid * grid, C].
  at::Tensor operator()(const at::Tensor& features,
                        const ObjectMemories& memories) const;

 private:
  struct Layer {
    Layer(WeightReader& weights, const std::string& name,
          const ModelConfig& config);

    LayerNorm norm1;
    Linear self_query;
    Linear self_key;
    Linear self_value;
    Linear self_output;
    LayerNorm norm2;
    Linear query;
    at::Tensor key_weight;  // [C, memory_channels]
    at::Tensor key_bias;    // [C]
    // Where it may be used.
    std::optional<RowFoldedAttention> folded;
    // The value's projection and the output's, one after the other, by heads.
    at::Tensor output_weight;  // [C, heads * memory_channels]
    at::Tensor output_bias;    // [C]
    LayerNorm norm3;
    Linear linear1;
    Linear linear2;
  };

  // Memories as every layer reads them: by rows where that is less work, frames
  // and then pointers otherwise.
  struct Tokens {
    std::optional<MemoriesByRow> by_row;
    at::Tensor values;        // [N, L, memory_channels]
    at::Tensor placed;        // the same with places and time codes added
    int64_t frame_count = 0;  // of the L that belong to frames
  };

  Tokens LayOut(const ObjectMemories& memories) const;
  at::Tensor AttendToFrame(const Layer& layer, const at::Tensor& x) const;
  at::Tensor AttendToMemory(const Layer& layer, const at::Tensor& x,
                            const Tokens& tokens) const;
  // [N, T, C] to [N, heads, T, C / heads].
  at::Tensor SplitHeads(const at::Tensor& x) const;

  const int64_t grid_;
  const int64_t head_count_;
  const Activation activation_;
  const at::Tensor positions_;         // [grid * grid, C], already times 0.1
  const at::Tensor memory_positions_;  // [grid * grid, memory_channels]
  const at::Tensor table_;             // rotations of a grid's cells
  std::vector<Layer> layers_;
  const LayerNorm norm_;
};

}  // namespace sam3
