#pragma once

#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/modules/layers.h"
#include "inference/torch/weights.h"

namespace sam3 {

// The perception encoder's vision transformer (Sam3ViTModel): patches, tiled
// absolute positions, pre-norm blocks with rotary attention, most of them
// inside windows.
//
// Where windows tile the grid, tokens stay in window order from the first block
// to the last: attention inside a window is then a reshape, and attention over
// the whole picture does not care about order as long as the rotary angles are
// in the same one.
class Vit {
 public:
  Vit(WeightReader& weights, const std::string& name, const VitConfig& config);

  // pixels [N, 3, image_size, image_size], normalised. Returns the last hidden
  // state [N, grid, grid, C].
  at::Tensor operator()(const at::Tensor& pixels) const;

  // Patches plus positions, normalised, in row-major order [N, grid^2, C].
  at::Tensor Embed(const at::Tensor& pixels) const;

 private:
  struct Block {
    Block(WeightReader& weights, const std::string& name,
          const VitConfig& config, bool global);
    void PackFor(int64_t rows);
    LayerNorm norm1;
    Linear query;
    Linear key;
    Linear value;
    Linear output;
    LayerNorm norm2;
    FeedForward feed_forward;
    bool global;
  };

  at::Tensor Attend(const Block& block, const at::Tensor& x,
                    const at::Tensor& table) const;
  // [N, grid, grid, C] to [N * windows, window * window, C], zeros where a
  // window overhangs the grid, and back.
  at::Tensor ToWindows(const at::Tensor& x) const;
  at::Tensor FromWindows(const at::Tensor& x) const;

  const VitConfig config_;
  const bool windows_tile_grid_;
  const int64_t windows_per_side_;
  const at::Tensor patch_weight_;  // [C, 3, patch, patch]
  at::Tensor positions_;           // [grid * grid, C]
  const LayerNorm norm_;
  std::vector<Block> blocks_;
  at::Tensor window_table_;
  // In the token order that global blocks see.
  at::Tensor global_table_;
};

}  // namespace sam3
