#include "inference/torch/interactive/interactive_head.h"

#include <vector>

namespace sam3 {
namespace {

// The decoder's own view of the two finer levels.
Neck::Tails DecoderTails(const ModelConfig& config) {
  return {.fine = "tracker_model.mask_decoder.conv_s0",
          .middle = "tracker_model.mask_decoder.conv_s1",
          .fine_width = config.hidden_size() / 8,
          .middle_width = config.hidden_size() / 4};
}

at::Tensor ChannelsLast(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).contiguous();
}

}  // namespace

InteractiveHead::InteractiveHead(WeightReader& weights,
                                 const ModelConfig& config)
    : neck_(weights, "tracker_neck", config, DecoderTails(config)),
      prompts_(weights, "tracker_model.prompt_encoder", config),
      decoder_(weights, "tracker_model.mask_decoder", config),
      // The checkpoint has this matrix twice, once for prompts and once for the
      // grid; they need not be equal.
      positions_(FourierPositions(weights,
                                  "tracker_model.shared_image_embedding",
                                  config.hidden_size())
                     .Grid(config.vit.grid())
                     .to(weights.dtype())) {
  // On pictures the reference adds this to the half-size level, which nobody
  // reads: it plays no part there.
  weights.Skip("tracker_model.no_memory_embedding");
}

ObjectFeatures InteractiveHead::Encode(const at::Tensor& hidden) const {
  const FeaturePyramid pyramid = neck_(hidden);
  return {ChannelsLast(pyramid.fine), ChannelsLast(pyramid.middle),
          ChannelsLast(pyramid.coarse).flatten(1, 2)};
}

ObjectMasks InteractiveHead::Segment(
    absl::Span<const ObjectQuery> queries) const {
  std::vector<ObjectPrompt> prompts;
  std::vector<at::Tensor> earlier;
  for (const ObjectQuery& query : queries) {
    prompts.push_back(query.prompt);
    if (query.earlier.defined()) earlier.push_back(query.earlier);
  }
  const ObjectFeatures& features = *queries.front().features;
  return Decode(prompts, features.coarse,
                earlier.empty() ? at::Tensor() : at::cat(earlier), features);
}

ObjectMasks InteractiveHead::Decode(absl::Span<const ObjectPrompt> prompts,
                                    const at::Tensor& coarse,
                                    const at::Tensor& earlier,
                                    const ObjectFeatures& features) const {
  const at::Tensor dense =
      earlier.defined() ? prompts_.Dense(earlier.to(positions_.options()))
                        : prompts_.no_mask();
  const at::Tensor picture =
      (coarse + dense).expand({static_cast<int64_t>(prompts.size()), -1, -1});
  return decoder_(prompts_.Sparse(prompts), picture, positions_, features);
}

at::Tensor MaskStability(const at::Tensor& logits, double delta) {
  const at::Tensor flat = logits.flatten(-2);
  const at::Tensor inner = (flat > delta).sum(-1);
  const at::Tensor outer = (flat > -delta).sum(-1);
  return at::where(outer > 0, inner.to(at::kFloat) / outer, 1.0);
}

at::Tensor ChooseStableMask(const ObjectMasks& masks,
                            const InteractiveConfig& config) {
  const at::Tensor best = masks.predicted_iou.slice(1, 1).argmax(-1).add_(1);
  if (!config.replace_unstable) return at::zeros_like(best);
  const at::Tensor stability =
      MaskStability(masks.logits.select(1, 0), config.stability_delta);
  return at::where(stability >= config.stability_threshold,
                   at::zeros_like(best), best);
}

}  // namespace sam3
