#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/weights.h"

namespace sam3 {

// The layers that every part of the model is made of. Each reads its tensors
// under the reference's names at construction and is immutable afterwards;
// called on the engine's thread, inside GuardTorch. Shapes: N batch, T tokens,
// C channels, H heads.

// In place where the caller gives its only reference away.
at::Tensor Activate(at::Tensor x, Activation activation);

// torch.nn.Linear: [..., in] to [..., out].
class Linear {
 public:
  Linear(WeightReader& weights, const std::string& name, int64_t in,
         int64_t out);
  at::Tensor operator()(const at::Tensor& x) const;

  // Keeps the weight in the layout that the library multiplies in as well,
  // which saves its packing at every call on exactly `rows` rows; others work
  // as ever. MKL on Intel's processors and oneDNN on others, each where it is
  // the faster. Does nothing where it does not apply: fp32 on the CPU only.
  void PackFor(int64_t rows);

 private:
  at::Tensor MultiplyPacked(const at::Tensor& x) const;

  at::Tensor weight_;  // [out, in]
  at::Tensor bias_;    // [out]
  at::Tensor packed_;  // opaque; undefined unless packed
  bool packed_by_mkl_ = false;
  int64_t packed_rows_ = 0;
};

// torch.nn.LayerNorm over the last dimension.
class LayerNorm {
 public:
  // The reference leaves torch's eps in place everywhere but in the vision and
  // text encoders, whatever the configuration says.
  LayerNorm(WeightReader& weights, const std::string& name, int64_t size,
            double eps = 1e-5);
  at::Tensor operator()(const at::Tensor& x) const;

  // Over the channels of [N, C, h, w] where they are few and the places many: a
  // GPU has a block of threads for each place otherwise.
  at::Tensor OverChannels(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;
  const double eps_;
};

// Sam3MLP and CLIPMLP: Linear, activation, Linear (fc1, fc2).
class FeedForward {
 public:
  FeedForward(WeightReader& weights, const std::string& name, int64_t size,
              int64_t inner, Activation activation);
  at::Tensor operator()(const at::Tensor& x) const;
  void PackFor(int64_t rows);

 private:
  Linear fc1_;
  Linear fc2_;
  const Activation activation_;
};

// Sam3DecoderMLP: two or three Linears with ReLU between (layer1, layer2, …).
// `sizes` are the widths from input to output.
class ReluMlp {
 public:
  ReluMlp(WeightReader& weights, const std::string& name,
          std::vector<int64_t> sizes);
  // The same under other names, one per Linear.
  ReluMlp(WeightReader& weights, const std::vector<std::string>& names,
          const std::vector<int64_t>& sizes);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::vector<Linear> layers_;
};

// Keys and values of an attention, projected: [N, H, T, C / H] each.
struct KeyValue {
  at::Tensor key;
  at::Tensor value;
};

// Sam3Attention: multi-head attention with separate q, k, v and output
// projections.
class Attention {
 public:
  // `output_name` is how the checkpoint calls the output projection; heads
  // share `inner_size` channels, 0 for as many as come in.
  Attention(WeightReader& weights, const std::string& name, int64_t size,
            int64_t head_count, const std::string& output_name = "o_proj",
            int64_t inner_size = 0);

  // query [N, T, C], key and value [N, S, C], mask additive and broadcastable
  // to [N, H, T, S], or undefined. Returns [N, T, C].
  at::Tensor operator()(const at::Tensor& query, const at::Tensor& key,
                        const at::Tensor& value, const at::Tensor& mask = {},
                        bool causal = false) const;

  // The same in two halves, for keys that serve several queries.
  KeyValue Project(const at::Tensor& key, const at::Tensor& value) const;
  at::Tensor Attend(const at::Tensor& query, const KeyValue& memory,
                    const at::Tensor& mask = {}, bool causal = false) const;

 private:
  // [N, T, C] to [N, H, T, C / H].
  at::Tensor SplitHeads(const at::Tensor& x) const;

  const int64_t head_count_;
  const Linear query_;
  const Linear key_;
  const Linear value_;
  const Linear output_;
};

}  // namespace sam3
