#include "inference/torch/detector.h"

#include <algorithm>
#include <limits>

#include "inference/torch/modules/positions.h"

namespace sam3 {
namespace {

// Batch dimension 1 each, one after the other; a single one is not copied.
at::Tensor Stack(const std::vector<at::Tensor>& parts) {
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace

Detector::Detector(WeightReader& weights, const ModelConfig& config,
                   ClassTokenRule class_token)
    : config_(config),
      class_token_(class_token),
      vit_(weights, "vision_encoder.backbone", config.vit),
      neck_(weights, "vision_encoder.neck", config),
      text_(weights, "text_encoder", config),
      geometry_(weights, "geometry_encoder", config),
      encoder_(weights, "detr_encoder", config.encoder),
      decoder_(weights, "detr_decoder", config),
      scorer_(weights, "dot_product_scoring", config),
      mask_head_(weights, "mask_decoder", config),
      positions_(SineGrid(config.vit.grid(), config.vit.grid(),
                          config.hidden_size(), weights.device())
                     .to(weights.dtype())) {}

std::vector<EncodedPicture> Detector::EncodePictures(
    const at::Tensor& pixels) const {
  const at::Tensor hidden = vit_(pixels);
  const FeaturePyramid all = neck_(hidden);
  const at::Tensor prepared =
      encoder_.Prepare(all.coarse.flatten(2).transpose(1, 2), positions_);
  const int64_t count = pixels.size(0);
  // A cached picture must not keep its whole batch in memory.
  const auto own = [count](const at::Tensor& x, int64_t i) {
    const at::Tensor row = x.narrow(0, i, 1);
    return count == 1 ? row : row.clone();
  };
  std::vector<EncodedPicture> pictures;
  for (int64_t i = 0; i < count; ++i) {
    pictures.push_back(
        {{{own(all.fine, i), own(all.middle, i), own(all.coarse, i)},
          own(prepared, i)},
         own(hidden, i)});
  }
  return pictures;
}

GroundedPairs Detector::Ground(absl::Span<const ConceptPair> pairs) const {
  GroundedPairs out;
  AssemblePrompts(pairs, &out);
  std::vector<at::Tensor> prepared;
  for (const ConceptPair& pair : pairs) {
    out.pictures.push_back(pair.picture);
    prepared.push_back(pair.picture->prepared);
  }
  out.encoded = encoder_(Stack(prepared), positions_, out.prompt, out.mask);
  const DecoderOutput decoded =
      decoder_(out.encoded, positions_, out.prompt, out.mask);
  out.queries = decoded.queries;
  out.presence = decoded.presence;
  out.logits = scorer_(decoded.queries, out.prompt, out.valid);
  const at::Tensor centre = decoded.boxes.narrow(2, 0, 2);
  const at::Tensor half = decoded.boxes.narrow(2, 2, 2) * 0.5;
  out.boxes = at::cat({centre - half, centre + half}, -1);
  return out;
}

at::Tensor Detector::PixelEmbeddings(const GroundedPairs& pairs,
                                     absl::Span<const int64_t> rows) const {
  const auto select = [&](const at::Tensor& x) {
    std::vector<at::Tensor> parts;
    for (const int64_t row : rows) parts.push_back(x.narrow(0, row, 1));
    return Stack(parts);
  };
  std::vector<at::Tensor> fine;
  std::vector<at::Tensor> middle;
  std::vector<at::Tensor> coarse;
  for (const int64_t row : rows) {
    const FeaturePyramid& pyramid = pairs.pictures[row]->pyramid;
    fine.push_back(pyramid.fine);
    middle.push_back(pyramid.middle);
    coarse.push_back(pyramid.coarse);
  }
  return mask_head_.PixelEmbeddings(
      select(pairs.encoded), select(pairs.prompt),
      pairs.mask.defined() ? select(pairs.mask) : at::Tensor(),
      {Stack(fine), Stack(middle), Stack(coarse)});
}

void Detector::AssemblePrompts(absl::Span<const ConceptPair> pairs,
                               GroundedPairs* out) const {
  std::vector<at::Tensor> prompts;
  int64_t longest = 0;
  int64_t shortest = std::numeric_limits<int64_t>::max();
  for (const ConceptPair& pair : pairs) {
    at::Tensor tokens = pair.text;
    if (!pair.exemplars.empty() || class_token_ == ClassTokenRule::kAlways) {
      const at::Tensor geometry =
          geometry_(pair.exemplars, pair.picture->pyramid.coarse, positions_);
      tokens = at::cat({tokens, geometry.squeeze(0)});
    }
    longest = std::max(longest, tokens.size(0));
    shortest = std::min(shortest, tokens.size(0));
    prompts.push_back(std::move(tokens));
  }
  at::Tensor valid =
      at::zeros({static_cast<int64_t>(pairs.size()), longest}, at::kFloat);
  for (size_t i = 0; i < prompts.size(); ++i) {
    const int64_t length = prompts[i].size(0);
    valid.select(0, static_cast<int64_t>(i)).narrow(0, 0, length).fill_(1);
    prompts[i] = at::constant_pad_nd(prompts[i], {0, 0, 0, longest - length})
                     .unsqueeze(0);
  }
  out->prompt = Stack(prompts);
  out->valid = valid.to(device());
  if (shortest != longest) {
    out->mask =
        at::zeros_like(valid)
            .masked_fill_(valid == 0, -std::numeric_limits<float>::infinity())
            .to(positions_.options())
            .view({-1, 1, 1, longest});
  }
}

}  // namespace sam3
