#include "inference/torch/preprocess.h"

#include <vector>

namespace sam3 {

at::Tensor Preprocess(absl::Span<const Image> images, int64_t side,
                      at::Device device, at::ScalarType dtype) {
  std::vector<at::Tensor> squares;
  for (const Image& image : images) {
    // Read only; from_blob has no const form.
    const at::Tensor pixels =
        at::from_blob(const_cast<uint8_t*>(image.pixels()),
                      {1, image.height(), image.width(), 3}, at::kByte)
            .permute({0, 3, 1, 2});
    squares.push_back(
        image.height() == side && image.width() == side
            ? pixels
            : at::_upsample_bilinear2d_aa(pixels, {side, side},
                                          /*align_corners=*/false));
  }
  return at::cat(squares)
      .to(device)
      .to(at::kFloat)
      .sub_(127.5)
      .div_(127.5)
      .to(dtype)
      .contiguous();
}

}  // namespace sam3
