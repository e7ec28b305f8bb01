#include "inference/torch/interactive/object_mask_decoder.h"

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

at::Tensor ReadOwnTokens(WeightReader& weights, const std::string& name,
                         int64_t mask_count, int64_t channels) {
  return at::cat(
      {weights.Read(name + ".obj_score_token.weight", {1, channels}),
       weights.Read(name + ".iou_token.weight", {1, channels}),
       weights.Read(name + ".mask_tokens.weight", {mask_count, channels})});
}

}  // namespace

ObjectMaskDecoder::ObjectMaskDecoder(WeightReader& weights,
                                     const std::string& name,
                                     const ModelConfig& config)
    : mask_count_(config.interactive->choice_count + 1),
      own_tokens_(
          ReadOwnTokens(weights, name, mask_count_, config.hidden_size())),
      transformer_(weights, name + ".transformer", config),
      upsample_first_(UpsampleByTwo::Read(weights, name + ".upscale_conv1",
                                          config.hidden_size(),
                                          config.hidden_size() / 4)),
      // This layer alone has the eps of the reference's own class.
      upsample_norm_(weights, name + ".upscale_layer_norm",
                     config.hidden_size() / 4, 1e-6),
      upsample_second_(UpsampleByTwo::Read(weights, name + ".upscale_conv2",
                                           config.hidden_size() / 4,
                                           config.hidden_size() / 8)),
      iou_head_(ReadProjectedMlp(
          weights, name + ".iou_prediction_head", config.hidden_size(),
          config.interactive->iou_hidden_size, mask_count_,
          config.interactive->iou_layer_count)),
      object_head_(ReadProjectedMlp(weights, name + ".pred_obj_score_head",
                                    config.hidden_size(), config.hidden_size(),
                                    1, 3)) {
  for (int64_t i = 0; i < mask_count_; ++i) {
    hypernetworks_.push_back(ReadProjectedMlp(
        weights, absl::StrCat(name, ".output_hypernetworks_mlps.", i),
        config.hidden_size(), config.hidden_size(), config.hidden_size() / 8,
        3));
  }
}

ObjectMasks ObjectMaskDecoder::operator()(
    const at::Tensor& sparse, const at::Tensor& picture,
    const at::Tensor& positions, const ObjectFeatures& features) const {
  const int64_t count = sparse.size(0);
  const int64_t grid = features.middle.size(1) / 2;
  const at::Tensor tokens =
      at::cat({own_tokens_.unsqueeze(0).expand({count, -1, -1}), sparse}, 1);
  const TwoWayTransformer::Output seen =
      transformer_(tokens, picture, positions);

  at::Tensor pixels =
      upsample_first_(seen.picture.view({count, grid, grid, -1}))
          .add_(features.middle);
  pixels = at::gelu(upsample_norm_(pixels));
  pixels = at::gelu(upsample_second_(pixels).add_(features.fine));

  ObjectMasks out;
  out.mask_tokens = seen.tokens.narrow(1, 2, mask_count_);
  std::vector<at::Tensor> kernels;
  for (int64_t i = 0; i < mask_count_; ++i) {
    kernels.push_back(
        hypernetworks_[static_cast<size_t>(i)](out.mask_tokens.select(1, i)));
  }
  out.logits =
      at::matmul(at::stack(kernels, 1), pixels.flatten(1, 2).transpose(1, 2))
          .to(at::kFloat)
          .view({count, mask_count_, 4 * grid, 4 * grid});
  out.predicted_iou =
      at::sigmoid(iou_head_(seen.tokens.select(1, 1))).to(at::kFloat);
  out.object_logit =
      object_head_(seen.tokens.select(1, 0)).to(at::kFloat).squeeze(-1);
  return out;
}

}  // namespace sam3
