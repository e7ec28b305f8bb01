#include "inference/torch/modules/rope.h"

#include "inference/torch/modules/rope_cuda.h"

#ifdef SAM3_WITH_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

namespace sam3 {
namespace {

// One pass over memory instead of the five that tensor expressions would take.
template <typename T>
void RotateRows(T* data, const float* table, const RotatedRows& shape) {
  const int64_t size = shape.head_size;
  at::parallel_for(
      0, shape.items * shape.turned, 64, [&](int64_t begin, int64_t end) {
        for (int64_t turned = begin; turned < end; ++turned) {
          const int64_t token = turned % shape.turned;
          const int64_t row = turned / shape.turned * shape.item_rows + token;
          const float* angles = table + token % shape.tokens * size;
          for (int64_t head = 0; head < shape.heads; ++head) {
            T* x = data + (row * shape.heads + head) * size;
            for (int64_t i = 0; i < size; i += 2) {
              const float a = x[i];
              const float b = x[i + 1];
              const float cosine = angles[i];
              const float sine = angles[i + 1];
              x[i] = static_cast<T>(a * cosine - b * sine);
              x[i + 1] = static_cast<T>(b * cosine + a * sine);
            }
          }
        }
      });
}

}  // namespace

at::Tensor RotaryTable(int64_t side, double scale, int64_t head_size,
                       double theta, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  const int64_t axis_size = head_size / 2;
  const at::Tensor frequency =
      1.0 / at::pow(theta, at::arange(0, axis_size, 2, options) /
                               static_cast<double>(axis_size));
  const at::Tensor position = at::arange(side, options) * scale;
  const at::Tensor angle = position.unsqueeze(1) * frequency;  // [side, d / 4]
  const at::Tensor x = angle.unsqueeze(0).expand({side, -1, -1});
  const at::Tensor y = angle.unsqueeze(1).expand({-1, side, -1});
  const at::Tensor both = at::cat({x, y}, -1).flatten(0, 1);
  return at::stack({both.cos(), both.sin()}, -1).contiguous().to(device);
}

void RotateInPlace(at::Tensor& x, const at::Tensor& table) {
  RotateFirstInPlace(x, table, x.size(-2));
}

void RotateFirstInPlace(at::Tensor& x, const at::Tensor& table, int64_t count) {
  RotatedRows shape;
  shape.items = x.numel() / (x.size(-2) * x.size(-1));
  shape.item_rows = x.size(-2);
  shape.turned = count;
  shape.tokens = table.size(0);
  shape.head_size = table.size(1) * 2;
  shape.heads = x.size(-1) / shape.head_size;
#ifdef SAM3_WITH_CUDA
  if (x.is_cuda()) {
    TORCH_CHECK(LaunchRotateInPlace(
        x.mutable_data_ptr(), x.scalar_type() == at::kBFloat16,
        table.const_data_ptr<float>(), shape,
        c10::cuda::getCurrentCUDAStream(x.get_device()).stream()));
    return;
  }
#endif
  const float* angles = table.const_data_ptr<float>();
  if (x.scalar_type() == at::kFloat) {
    RotateRows(x.mutable_data_ptr<float>(), angles, shape);
  } else {
    TORCH_CHECK(x.scalar_type() == at::kBFloat16);
    RotateRows(x.mutable_data_ptr<at::BFloat16>(), angles, shape);
  }
}

}  // namespace sam3
