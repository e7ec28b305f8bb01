// The detector against the reference implementation, stage by stage, on tiny
// random models. Every stage but the last tests gets the reference's own input,
// so that an error shows where it is made.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "inference/torch/detector.h"
#include "inference/torch/modules/positions.h"
#include "inference/torch/modules/roi_align.h"
#include "inference/torch/modules/rope.h"
#include "inference/torch/preprocess.h"
#include "tests/inference/torch/reference_file.h"

namespace sam3 {
namespace {

class ParityTest : public testing::TestWithParam<const char*> {
 protected:
  ParityTest() : model_(GetParam()) {}

  at::Tensor PromptMask() const { return {}; }
  at::Tensor Coarse() const { return model_["fpn.coarse"]; }
  at::Tensor Positions() const { return model_["sine"].squeeze(0); }

  // Text and geometry tokens as the reference joins them, padding cut.
  at::Tensor Prompt(const std::string& name) const {
    at::Tensor tokens =
        model_[absl::StrCat("prompt.", name, ".text.projected")];
    if (!ReferenceExemplars(name).empty()) {
      tokens = at::cat(
          {tokens, model_[absl::StrCat("prompt.", name, ".geometry")]}, 1);
    }
    return tokens;
  }

  const c10::InferenceMode inference_mode_;
  const ReferenceModel model_;
};

TEST_P(ParityTest, EmbeddedPatches) {
  WeightReader weights = model_.Weights();
  const Vit vit(weights, "vision_encoder.backbone", model_.config().vit);
  EXPECT_LE(RelativeError(vit.Embed(model_["pixels"]),
                          model_["vit.embedded"].flatten(1, 2)),
            1e-6);
}

TEST_P(ParityTest, RotaryTables) {
  const VitConfig& vit = model_.config().vit;
  for (const auto& [name, side] :
       {std::pair<std::string, int>{"window", vit.window_size},
        std::pair<std::string, int>{"global", vit.grid()}}) {
    const at::Tensor table =
        RotaryTable(side, static_cast<double>(vit.window_size) / side,
                    vit.head_size(), vit.rope_theta, at::kCPU);
    // The reference repeats every angle for both channels of its pair.
    const auto half = [&](const char* what) {
      return model_[absl::StrCat("rope.", name, ".", what)].squeeze(0).slice(
          1, 0, std::nullopt, 2);
    };
    EXPECT_LE(AbsoluteError(table.select(2, 0), half("cos")), 1e-6) << name;
    EXPECT_LE(AbsoluteError(table.select(2, 1), half("sin")), 1e-6) << name;
  }
}

TEST_P(ParityTest, RotatedQuery) {
  const VitConfig& vit = model_.config().vit;
  const at::Tensor table =
      RotaryTable(vit.grid(), static_cast<double>(vit.window_size) / vit.grid(),
                  vit.head_size(), vit.rope_theta, at::kCPU);
  at::Tensor query = model_["vit.query"];
  RotateInPlace(query, table);
  EXPECT_LE(RelativeError(query, model_["vit.query.turned"]), 1e-5);
}

// Tokens behind those that have a place are left alone.
TEST_P(ParityTest, RotatedBeginning) {
  const VitConfig& vit = model_.config().vit;
  const at::Tensor table =
      RotaryTable(vit.grid(), static_cast<double>(vit.window_size) / vit.grid(),
                  vit.head_size(), vit.rope_theta, at::kCPU);
  const at::Tensor query = model_["vit.query"].flatten(0, -3);
  const at::Tensor turned = model_["vit.query.turned"].flatten(0, -3);
  const at::Tensor rest = at::full_like(query.slice(1, 0, 3), 7);
  at::Tensor tokens = at::cat({query, query, rest}, 1);
  RotateFirstInPlace(tokens, table, 2 * query.size(1));
  EXPECT_LE(RelativeError(tokens, at::cat({turned, turned, rest}, 1)), 1e-5);
}

TEST_P(ParityTest, NormOverChannels) {
  const int64_t channels = model_.config().hidden_size();
  WeightReader weights = model_.Weights();
  const LayerNorm norm(weights, "detr_encoder.layers.0.layer_norm1", channels);
  const at::Tensor x = at::randn({2, 3, 5, channels});
  EXPECT_LE(RelativeError(norm.OverChannels(x.permute({0, 3, 1, 2})),
                          norm(x).permute({0, 3, 1, 2})),
            1e-5);
}

TEST_P(ParityTest, VisionTransformer) {
  WeightReader weights = model_.Weights();
  const Vit vit(weights, "vision_encoder.backbone", model_.config().vit);
  EXPECT_LE(
      RelativeError(vit(model_["pixels"]).flatten(1, 2), model_["vit.output"]),
      2e-5);
}

TEST_P(ParityTest, FeaturePyramidAndPositions) {
  WeightReader weights = model_.Weights();
  const Neck neck(weights, "vision_encoder.neck", model_.config());
  const int64_t grid = model_.config().vit.grid();
  const FeaturePyramid pyramid =
      neck(model_["vit.output"].view({1, grid, grid, -1}));
  EXPECT_LE(RelativeError(pyramid.fine, model_["fpn.fine"]), 2e-5);
  EXPECT_LE(RelativeError(pyramid.middle, model_["fpn.middle"]), 2e-5);
  EXPECT_LE(RelativeError(pyramid.coarse, model_["fpn.coarse"]), 2e-5);
  EXPECT_LE(AbsoluteError(
                SineGrid(grid, grid, model_.config().hidden_size(), at::kCPU),
                Positions()),
            1e-6);
}

TEST_P(ParityTest, TextEncoder) {
  WeightReader weights = model_.Weights();
  const TextEncoder encoder(weights, "text_encoder", model_.config());
  for (const std::string name : {"short", "long", "visual"}) {
    const TokenizedText text = ReferenceText(name);
    at::Tensor ids = at::empty({1, text.length}, at::kLong);
    std::copy_n(text.ids.begin(), text.length, ids.mutable_data_ptr<int64_t>());
    const std::string prefix = absl::StrCat("prompt.", name, ".text.");
    EXPECT_LE(RelativeError(encoder.Hidden(ids), model_[prefix + "hidden"]),
              1e-5)
        << name;
    EXPECT_LE(RelativeError(encoder(ids), model_[prefix + "projected"]), 1e-5)
        << name;
  }
}

TEST_P(ParityTest, GeometryEncoder) {
  WeightReader weights = model_.Weights();
  const GeometryEncoder encoder(weights, "geometry_encoder", model_.config());
  for (const std::string name : {"long", "visual"}) {
    const std::vector<Exemplar> exemplars = ReferenceExemplars(name);
    const std::string prefix = absl::StrCat("prompt.", name, ".");
    EXPECT_LE(
        RelativeError(encoder.EmbedBoxes(exemplars, Coarse()).unsqueeze(0),
                      model_[prefix + "boxes_embedded"]),
        1e-4)
        << name;
    EXPECT_LE(RelativeError(encoder(exemplars, Coarse(), Positions()),
                            model_[prefix + "geometry"]),
              2e-5)
        << name;
  }
}

TEST_P(ParityTest, EncoderLayers) {
  WeightReader weights = model_.Weights();
  const DetrEncoder encoder(weights, "detr_encoder", model_.config().encoder);
  for (const std::string name : {"short", "long", "visual"}) {
    std::vector<at::Tensor> layers;
    encoder(encoder.Prepare(Coarse().flatten(2).transpose(1, 2), Positions()),
            Positions(), Prompt(name), {}, &layers);
    for (size_t i = 0; i < layers.size(); ++i) {
      EXPECT_LE(
          RelativeError(layers[i],
                        model_[absl::StrCat("prompt.", name, ".encoder.", i)]),
          2e-5)
          << name << " layer " << i;
    }
  }
}

TEST_P(ParityTest, DecoderLayers) {
  WeightReader weights = model_.Weights();
  const DetrDecoder decoder(weights, "detr_decoder", model_.config());
  for (const std::string name : {"short", "long", "visual"}) {
    const std::string prefix = absl::StrCat("prompt.", name, ".");
    DecoderTrace trace;
    const DecoderOutput out = decoder(model_[prefix + "encoder.1"], Positions(),
                                      Prompt(name), {}, &trace);
    for (size_t i = 0; i < trace.boxes.size(); ++i) {
      const std::string layer = absl::StrCat(prefix, "decoder.", i, ".");
      EXPECT_LE(AbsoluteError(trace.boxes[i], model_[layer + "boxes"]), 1e-5)
          << layer;
      EXPECT_LE(RelativeError(trace.box_bias[i], model_[layer + "bias"]), 5e-5)
          << layer;
      EXPECT_LE(RelativeError(trace.queries[i], model_[layer + "queries"]),
                5e-5)
          << layer;
    }
    EXPECT_LE(AbsoluteError(out.presence.unsqueeze(1),
                            model_[prefix + "presence_logits"]),
              1e-4);
  }
}

TEST_P(ParityTest, ScorerAndMasks) {
  WeightReader weights = model_.Weights();
  const Scorer scorer(weights, "dot_product_scoring", model_.config());
  const MaskHead head(weights, "mask_decoder", model_.config());
  for (const std::string name : {"short", "long", "visual"}) {
    const std::string prefix = absl::StrCat("prompt.", name, ".");
    const at::Tensor queries = model_[prefix + "decoder.2.queries"];
    const at::Tensor prompt = Prompt(name);
    EXPECT_LE(
        AbsoluteError(scorer(queries, prompt, at::ones({1, prompt.size(1)})),
                      model_[prefix + "pred_logits"]),
        1e-4);
    const at::Tensor pixels = head.PixelEmbeddings(
        model_[prefix + "encoder.1"], prompt, {},
        {model_["fpn.fine"], model_["fpn.middle"], model_["fpn.coarse"]});
    EXPECT_LE(RelativeError(head.Masks(pixels[0], queries[0]).unsqueeze(0),
                            model_[prefix + "pred_masks"]),
              2e-5);
    EXPECT_LE(RelativeError(head.Semantic(pixels[0]).view(
                                {1, 1, pixels.size(2), pixels.size(3)}),
                            model_[prefix + "semantic_seg"]),
              2e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(TinyModels, ParityTest,
                         testing::Values("tiled", "padded"),
                         [](const auto& info) { return info.param; });

TEST(PreprocessParityTest, EightBitResizeEqualsTheReference) {
  const c10::InferenceMode inference_mode;
  const ReferenceModel model("tiled");
  for (const std::string name :
       {"noise0", "noise1", "noise2", "smooth0", "smooth1", "smooth2"}) {
    const at::Tensor picture = model["resize." + name + ".image"];
    const at::Tensor expected = model["resize." + name + ".pixels"];
    const at::Tensor bytes = picture.to(at::kByte).contiguous();
    HeapAllocator allocator;
    auto memory = allocator.Allocate(static_cast<size_t>(bytes.numel()));
    std::copy_n(bytes.const_data_ptr<uint8_t>(), bytes.numel(), memory.get());
    const at::Tensor actual =
        Preprocess({Image(memory, static_cast<int>(bytes.size(1)),
                          static_cast<int>(bytes.size(0)))},
                   model.config().vit.image_size, at::kCPU, at::kFloat);
    const at::Tensor steps = ((actual - expected) * 127.5).abs();
    EXPECT_LE(steps.max().item<double>(), 1.001) << name;
    EXPECT_GT((steps < 0.01).to(at::kFloat).mean().item<double>(), 0.995)
        << name;
  }
}

TEST(RoiAlignParityTest, EqualsTorchvision) {
  const c10::InferenceMode inference_mode;
  const ReferenceModel model("tiled");
  const at::Tensor pooled =
      RoiAlign(model["roi.features"].squeeze(0), model["roi.boxes"], 7);
  EXPECT_LE(RelativeError(pooled, model["roi.pooled"]), 1e-5);
}

}  // namespace
}  // namespace sam3
