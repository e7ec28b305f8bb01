#include "inference/torch/modules/upsample.h"

namespace sam3 {

UpsampleByTwo UpsampleByTwo::Read(WeightReader& weights,
                                  const std::string& name, int64_t in,
                                  int64_t out) {
  const at::Tensor weight = weights.Read(name + ".weight", {in, out, 2, 2});
  const at::Tensor bias = weights.Read(name + ".bias", {out});
  return {weight.permute({2, 3, 1, 0}).reshape({4 * out, in}).contiguous(),
          bias.repeat({4})};
}

UpsampleByTwo UpsampleByTwo::Then(const at::Tensor& matrix,
                                  const at::Tensor& offset) const {
  const auto dtype = weight.scalar_type();
  const at::Tensor last = matrix.to(at::kFloat);
  const int64_t middle = last.size(1);
  const at::Tensor product =
      at::matmul(last, weight.to(at::kFloat).view({4, middle, -1}));
  const at::Tensor sum = at::addmv(offset.to(at::kFloat), last,
                                   bias.to(at::kFloat).slice(0, 0, middle));
  return {product.flatten(0, 1).to(dtype).contiguous(),
          sum.to(dtype).repeat({4})};
}

at::Tensor UpsampleByTwo::operator()(const at::Tensor& x) const {
  const int64_t count = x.size(0);
  const int64_t height = x.size(1);
  const int64_t width = x.size(2);
  return at::linear(x, weight, bias)
      .view({count, height, width, 2, 2, -1})
      .transpose(2, 3)
      .reshape({count, 2 * height, 2 * width, -1});
}

}  // namespace sam3
