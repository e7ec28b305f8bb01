#include "inference/torch/modules/layers.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

// libtorch registers these for its own compiler; a build without the library
// lacks them.
constexpr char kMklPack[] = "mkl::_mkl_reorder_linear_weight";
constexpr char kMklLinear[] = "mkl::_mkl_linear";
constexpr char kOneDnnPack[] = "mkldnn::_reorder_linear_weight";
constexpr char kOneDnnLinear[] = "mkldnn::_linear_pointwise";

using MklPack = at::Tensor(const at::Tensor&, int64_t);
using MklLinear = at::Tensor(const at::Tensor&, const at::Tensor&,
                             const at::Tensor&,
                             const std::optional<at::Tensor>&, int64_t);
using OneDnnPack = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using OneDnnLinear = at::Tensor(const at::Tensor&, const at::Tensor&,
                                const std::optional<at::Tensor>&,
                                c10::string_view,
                                c10::List<std::optional<at::Scalar>>,
                                std::optional<c10::string_view>);

std::optional<c10::OperatorHandle> FindOperator(const char* name) {
  return c10::Dispatcher::singleton().findSchema({name, ""});
}

}  // namespace

at::Tensor Activate(at::Tensor x, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu_(x);
    case Activation::kGelu:
      return at::gelu_(x);
    case Activation::kQuickGelu:
      return x * at::sigmoid(1.702 * x);
  }
  return x;
}

Linear::Linear(WeightReader& weights, const std::string& name, int64_t in,
               int64_t out)
    : weight_(weights.Read(name + ".weight", {out, in})),
      bias_(weights.Read(name + ".bias", {out})) {}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (packed_.defined() && x.numel() == packed_rows_ * x.size(-1)) {
    return MultiplyPacked(x);
  }
  return at::linear(x, weight_, bias_);
}

at::Tensor Linear::MultiplyPacked(const at::Tensor& x) const {
  if (packed_by_mkl_) {
    return FindOperator(kMklLinear)
        ->typed<MklLinear>()
        .call(x, packed_, weight_, bias_, packed_rows_);
  }
  return FindOperator(kOneDnnLinear)
      ->typed<OneDnnLinear>()
      .call(x, packed_, bias_, /*attr=*/"none",
            c10::List<std::optional<at::Scalar>>(), /*algorithm=*/std::nullopt);
}

void Linear::PackFor(int64_t rows) {
  if (!weight_.is_cpu() || weight_.scalar_type() != at::kFloat) return;
  packed_by_mkl_ = __builtin_cpu_is("intel");
  const auto pack = FindOperator(packed_by_mkl_ ? kMklPack : kOneDnnPack);
  if (!pack.has_value() ||
      !FindOperator(packed_by_mkl_ ? kMklLinear : kOneDnnLinear).has_value()) {
    return;
  }
  packed_ = packed_by_mkl_
                ? pack->typed<MklPack>().call(weight_.contiguous(), rows)
                : pack->typed<OneDnnPack>().call(weight_.contiguous(), rows);
  packed_rows_ = rows;
}

LayerNorm::LayerNorm(WeightReader& weights, const std::string& name,
                     int64_t size, double eps)
    : weight_(weights.Read(name + ".weight", {size})),
      bias_(weights.Read(name + ".bias", {size})),
      eps_(eps) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, weight_, bias_, eps_);
}

at::Tensor LayerNorm::OverChannels(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  const auto [variance, mean] = at::var_mean(
      wide, at::IntArrayRef{1}, /*correction=*/0, /*keepdim=*/true);
  const at::Tensor scale = at::rsqrt(variance + eps_);
  const std::vector<int64_t> channels = {1, -1, 1, 1};
  return (wide - mean)
      .mul_(scale)
      .mul_(weight_.view(channels))
      .add_(bias_.view(channels))
      .to(x.scalar_type());
}

FeedForward::FeedForward(WeightReader& weights, const std::string& name,
                         int64_t size, int64_t inner, Activation activation)
    : fc1_(weights, name + ".fc1", size, inner),
      fc2_(weights, name + ".fc2", inner, size),
      activation_(activation) {}

at::Tensor FeedForward::operator()(const at::Tensor& x) const {
  return fc2_(Activate(fc1_(x), activation_));
}

void FeedForward::PackFor(int64_t rows) {
  fc1_.PackFor(rows);
  fc2_.PackFor(rows);
}

ReluMlp::ReluMlp(WeightReader& weights, const std::string& name,
                 std::vector<int64_t> sizes) {
  for (size_t i = 0; i + 1 < sizes.size(); ++i) {
    layers_.emplace_back(weights, absl::StrCat(name, ".layer", i + 1), sizes[i],
                         sizes[i + 1]);
  }
}

ReluMlp::ReluMlp(WeightReader& weights, const std::vector<std::string>& names,
                 const std::vector<int64_t>& sizes) {
  for (size_t i = 0; i < names.size(); ++i) {
    layers_.emplace_back(weights, names[i], sizes[i], sizes[i + 1]);
  }
}

at::Tensor ReluMlp::operator()(const at::Tensor& x) const {
  at::Tensor hidden = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    hidden = layers_[i](hidden);
    if (i + 1 < layers_.size()) at::relu_(hidden);
  }
  return hidden;
}

Attention::Attention(WeightReader& weights, const std::string& name,
                     int64_t size, int64_t head_count,
                     const std::string& output_name, int64_t inner_size)
    : head_count_(head_count),
      query_(weights, name + ".q_proj", size, inner_size ? inner_size : size),
      key_(weights, name + ".k_proj", size, inner_size ? inner_size : size),
      value_(weights, name + ".v_proj", size, inner_size ? inner_size : size),
      output_(weights, absl::StrCat(name, ".", output_name),
              inner_size ? inner_size : size, size) {}

at::Tensor Attention::operator()(const at::Tensor& query, const at::Tensor& key,
                                 const at::Tensor& value,
                                 const at::Tensor& mask, bool causal) const {
  return Attend(query, Project(key, value), mask, causal);
}

KeyValue Attention::Project(const at::Tensor& key,
                            const at::Tensor& value) const {
  return {SplitHeads(key_(key)), SplitHeads(value_(value))};
}

at::Tensor Attention::Attend(const at::Tensor& query, const KeyValue& memory,
                             const at::Tensor& mask, bool causal) const {
  const at::Tensor attended = at::scaled_dot_product_attention(
      SplitHeads(query_(query)), memory.key, memory.value,
      mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt,
      /*dropout_p=*/0.0, causal);
  return output_(attended.transpose(1, 2).flatten(2));
}

at::Tensor Attention::SplitHeads(const at::Tensor& x) const {
  return x.unflatten(-1, {head_count_, x.size(-1) / head_count_})
      .transpose(1, 2);
}

}  // namespace sam3
