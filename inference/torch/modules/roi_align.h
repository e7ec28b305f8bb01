#pragma once

#include "inference/torch/aten.h"

namespace sam3 {

// Average-pools `features` over boxes (torchvision's roi_align with
// spatial_scale 1, sampling_ratio -1, aligned false): every output cell is the
// mean of ceil(side / size) samples an axis, bilinearly interpolated.
//
// The bilinear weights of a sample are a product of one factor per axis, so a
// box is two small matrix products, on any device.
//
// features [C, H, W]; boxes [K, 4] on the host, fp32, xyxy in cells. Returns
// [K, C, size, size] in fp32.
at::Tensor RoiAlign(const at::Tensor& features, const at::Tensor& boxes,
                    int64_t size);

}  // namespace sam3
