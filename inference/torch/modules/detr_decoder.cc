#include "inference/torch/modules/detr_decoder.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "inference/torch/modules/positions.h"

namespace sam3 {
namespace {

constexpr double kMaxPresenceLogit = 10.0;

// The reference's clamped logit of a box coordinate.
at::Tensor InverseSigmoid(const at::Tensor& x) {
  constexpr double kEpsilon = 1e-3;
  const at::Tensor inside = x.clamp(0, 1);
  return at::log(inside.clamp_min(kEpsilon) / (1 - inside).clamp_min(kEpsilon));
}

// Signed logarithmic distance of every cell to the two borders of every box
// along one axis. low, high [N, Q]; returns [N, Q, cells, 2].
at::Tensor LogDistance(const at::Tensor& low, const at::Tensor& high,
                       int64_t cells) {
  const at::Tensor cell =
      at::arange(cells, low.options()) / static_cast<double>(cells);
  const at::Tensor borders = at::stack({low, high}, -1).unsqueeze(2);
  const at::Tensor distance = (cell.view({1, 1, -1, 1}) - borders) * 8;
  return at::sign(distance) * at::log2(distance.abs() + 1.0) / 3.0;
}

}  // namespace

DetrDecoder::Layer::Layer(WeightReader& weights, const std::string& name,
                          const StackConfig& config)
    : self_attention(weights, name + ".self_attn", config.hidden_size,
                     config.head_count),
      self_norm(weights, name + ".self_attn_layer_norm", config.hidden_size),
      prompt_attention(weights, name + ".text_cross_attn", config.hidden_size,
                       config.head_count),
      prompt_norm(weights, name + ".text_cross_attn_layer_norm",
                  config.hidden_size),
      picture_attention(weights, name + ".vision_cross_attn",
                        config.hidden_size, config.head_count),
      picture_norm(weights, name + ".vision_cross_attn_layer_norm",
                   config.hidden_size),
      feed_forward(weights, name + ".mlp", config.hidden_size,
                   config.intermediate_size, config.activation),
      feed_forward_norm(weights, name + ".mlp_layer_norm", config.hidden_size) {
}

DetrDecoder::DetrDecoder(WeightReader& weights, const std::string& name,
                         const ModelConfig& config)
    : hidden_size_(config.decoder.hidden_size),
      grid_(config.vit.grid()),
      output_norm_(weights, name + ".output_layer_norm", hidden_size_),
      box_head_(weights, name + ".box_head",
                {hidden_size_, hidden_size_, hidden_size_, 4}),
      query_table_(weights.Read(name + ".query_embed.weight",
                                {config.query_count, hidden_size_})),
      reference_points_(weights.ReadFloat(name + ".reference_points.weight",
                                          {config.query_count, 4})),
      presence_token_(
          weights.Read(name + ".presence_token.weight", {1, hidden_size_})),
      presence_head_(weights, name + ".presence_head",
                     {hidden_size_, hidden_size_, hidden_size_, 1}),
      presence_norm_(weights, name + ".presence_layer_norm", hidden_size_),
      reference_head_(weights, name + ".ref_point_head",
                      {2 * hidden_size_, hidden_size_, hidden_size_}),
      bias_x_(weights, name + ".box_rpb_embed_x",
              {2, hidden_size_, config.decoder.head_count}),
      bias_y_(weights, name + ".box_rpb_embed_y",
              {2, hidden_size_, config.decoder.head_count}) {
  for (int i = 0; i < config.decoder.layer_count; ++i) {
    layers_.emplace_back(weights, absl::StrCat(name, ".layers.", i),
                         config.decoder);
  }
}

DecoderOutput DetrDecoder::operator()(const at::Tensor& encoded,
                                      const at::Tensor& positions,
                                      const at::Tensor& prompt,
                                      const at::Tensor& mask,
                                      DecoderTrace* trace) const {
  const int64_t count = encoded.size(0);
  const at::Tensor keys = encoded + positions;
  at::Tensor x = at::cat({presence_token_, query_table_})
                     .unsqueeze(0)
                     .expand({count, -1, -1});
  at::Tensor boxes =
      reference_points_.sigmoid().unsqueeze(0).expand({count, -1, -1});
  at::Tensor queries;
  for (const Layer& layer : layers_) {
    // The presence token, first in the sequence, has no place.
    const at::Tensor place =
        at::constant_pad_nd(QueryPositions(boxes), {0, 0, 1, 0});
    const at::Tensor bias = BoxBias(boxes);

    const at::Tensor placed = x + place;
    x = layer.self_norm(layer.self_attention(placed, placed, x) + x);
    x = layer.prompt_norm(
        layer.prompt_attention(x + place, prompt, prompt, mask) + x);
    x = layer.picture_norm(
        layer.picture_attention(x + place, keys, encoded, bias) + x);
    x = layer.feed_forward_norm(layer.feed_forward(x) + x);

    queries = output_norm_(x.narrow(1, 1, x.size(1) - 1));
    if (trace != nullptr) {
      trace->queries.push_back(queries);
      trace->boxes.push_back(boxes);
      trace->box_bias.push_back(bias.narrow(2, 1, bias.size(2) - 1));
    }
    boxes =
        (box_head_(queries).to(at::kFloat) + InverseSigmoid(boxes)).sigmoid();
  }
  const at::Tensor presence = presence_head_(presence_norm_(x.select(1, 0)))
                                  .to(at::kFloat)
                                  .clamp(-kMaxPresenceLogit, kMaxPresenceLogit)
                                  .squeeze(-1);
  return {queries, boxes, presence};
}

at::Tensor DetrDecoder::QueryPositions(const at::Tensor& boxes) const {
  const at::Tensor sines = SineOf(boxes, hidden_size_ / 2);
  // The reference's order is y, x, width, height.
  const at::Tensor code = at::cat({sines.select(2, 1), sines.select(2, 0),
                                   sines.select(2, 2), sines.select(2, 3)},
                                  -1);
  return reference_head_(code.to(query_table_.scalar_type()));
}

at::Tensor DetrDecoder::BoxBias(const at::Tensor& boxes) const {
  const auto [cx, cy, w, h] =
      std::array{boxes.select(-1, 0), boxes.select(-1, 1),
                 boxes.select(-1, 2) * 0.5, boxes.select(-1, 3) * 0.5};
  const auto dtype = query_table_.scalar_type();
  // [N, Q, cells, H] to [N, H, Q, cells].
  const auto embed = [dtype](const ReluMlp& mlp, const at::Tensor& distance) {
    return mlp(distance.to(dtype)).permute({0, 3, 1, 2});
  };
  const at::Tensor x = embed(bias_x_, LogDistance(cx - w, cx + w, grid_));
  const at::Tensor y = embed(bias_y_, LogDistance(cy - h, cy + h, grid_));
  const at::Tensor sum = (y.unsqueeze(4) + x.unsqueeze(3)).flatten(3);
  return at::constant_pad_nd(sum, {0, 0, 1, 0});
}

}  // namespace sam3
