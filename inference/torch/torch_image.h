#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "inference/engine.h"
#include "inference/torch/aten.h"
#include "inference/torch/detector.h"
#include "inference/torch/interactive/interactive_head.h"

namespace sam3 {

// A picture on the device, for concepts and for clicks. The head for clicks has
// a neck of its own, which runs when the first click comes: until then the
// vision transformer's output is kept, from then on what the neck made of it,
// which is as large in the published model. So a picture without clicks pays
// nothing, and further clicks pay for no neck.
class TorchImage final : public ImageEmbedding {
 public:
  // `hidden` [1, grid, grid, C_vit]; undefined where the model takes no clicks.
  TorchImage(PictureFeatures features, at::Tensor hidden)
      : features_(std::move(features)),
        size_bytes_(features_.pyramid.fine.nbytes() +
                    features_.pyramid.middle.nbytes() +
                    features_.pyramid.coarse.nbytes() +
                    features_.prepared.nbytes() +
                    (hidden.defined() ? hidden.nbytes() : 0)),
        hidden_(std::move(hidden)) {}

  size_t size_bytes() const override { return size_bytes_; }
  const PictureFeatures& features() const { return features_; }

  // On the engine's thread alone, inside GuardTorch.
  const ObjectFeatures& object_features(const InteractiveHead& head) const {
    if (hidden_.defined()) {
      objects_ = head.Encode(hidden_);
      hidden_.reset();
    }
    return objects_;
  }

 private:
  const PictureFeatures features_;
  const size_t size_bytes_;
  mutable at::Tensor hidden_;
  mutable ObjectFeatures objects_;
};

}  // namespace sam3
