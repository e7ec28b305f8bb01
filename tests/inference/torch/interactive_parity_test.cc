// The head for single objects against the reference, stage by stage, on a tiny
// random model. Every stage gets the reference's own input.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "inference/torch/interactive/interactive_head.h"
#include "tests/inference/torch/reference_file.h"

namespace sam3 {
namespace {

constexpr float kSide = 280;

// The prompts that tiny_clicks.py ran.
ObjectPrompt PromptOf(const std::string& name) {
  const auto click = [](float x, float y, bool on) {
    return Click{x / kSide, y / kSide,
                 on ? ClickLabel::kPositive : ClickLabel::kNegative};
  };
  ObjectPrompt prompt;
  if (name == "one") {
    prompt.clicks = {click(61, 140.5f, true)};
  } else if (name == "three") {
    prompt.clicks = {click(20, 30, true), click(200, 90, false),
                     click(133, 275, true)};
  } else if (name == "both") {
    prompt.clicks = {click(150, 150, false)};
  }
  if (name == "box" || name == "both") {
    prompt.box = Box{40 / kSide, 60 / kSide, 210 / kSide, 180 / kSide};
  }
  return prompt;
}

class InteractiveParityTest : public testing::Test {
 protected:
  InteractiveParityTest() : model_("clicks"), weights_(model_.Weights()) {}

  // The reference's features in this program's layout.
  ObjectFeatures Features() const {
    const auto last = [this](const std::string& name) {
      return model_[name].permute({0, 2, 3, 1}).contiguous();
    };
    return {last("features.fine"), last("features.middle"),
            last("features.coarse").flatten(1, 2)};
  }

  void ExpectMasks(const ObjectMasks& found, const std::string& prefix) {
    const at::Tensor several = model_[prefix + "several.masks"];
    EXPECT_LE(RelativeError(found.logits.slice(1, 1), several), 2e-5) << prefix;
    EXPECT_LE(RelativeError(found.predicted_iou.slice(1, 1),
                            model_[prefix + "several.iou"]),
              2e-5)
        << prefix;
    EXPECT_LE(RelativeError(found.object_logit, model_[prefix + "object"]),
              2e-5)
        << prefix;
    const int64_t row =
        ChooseStableMask(found, *model_.config().interactive).item<int64_t>();
    EXPECT_LE(RelativeError(found.logits.narrow(1, row, 1),
                            model_[prefix + "one.masks"]),
              2e-5)
        << prefix << row;
    EXPECT_LE(RelativeError(found.predicted_iou.narrow(1, row, 1),
                            model_[prefix + "one.iou"]),
              2e-5)
        << prefix << row;
  }

  const c10::InferenceMode inference_mode_;
  const ReferenceModel model_;
  WeightReader weights_;
};

TEST_F(InteractiveParityTest, Features) {
  const InteractiveHead head(weights_, model_.config());
  const int64_t grid = model_.config().vit.grid();
  const ObjectFeatures found =
      head.Encode(model_["vit.output"].view({1, grid, grid, -1}));
  const ObjectFeatures expected = Features();
  EXPECT_LE(RelativeError(found.fine, expected.fine), 2e-5);
  EXPECT_LE(RelativeError(found.middle, expected.middle), 2e-5);
  EXPECT_LE(RelativeError(found.coarse, expected.coarse), 2e-5);
}

TEST_F(InteractiveParityTest, PositionsOfTheGrid) {
  const ModelConfig& config = model_.config();
  const FourierPositions positions(
      weights_, "tracker_model.shared_image_embedding", config.hidden_size());
  EXPECT_LE(AbsoluteError(positions.Grid(config.vit.grid()),
                          model_["positions"].flatten(2).squeeze(0).t()),
            1e-5);
}

TEST_F(InteractiveParityTest, PromptTokens) {
  const ObjectPromptEncoder encoder(weights_, "tracker_model.prompt_encoder",
                                    model_.config());
  for (const std::string name : {"one", "three", "box", "both"}) {
    EXPECT_LE(RelativeError(encoder.Sparse({PromptOf(name)}),
                            model_[absl::StrCat("click.", name, ".sparse")]),
              2e-5)
        << name;
  }
  EXPECT_LE(
      RelativeError(encoder.Dense(model_["earlier"]),
                    model_["refine.one.dense"].flatten(2).transpose(1, 2)),
      2e-5);
}

TEST_F(InteractiveParityTest, MasksOfEveryPrompt) {
  const InteractiveHead head(weights_, model_.config());
  const ObjectFeatures features = Features();
  for (const std::string name : {"one", "three", "box", "both"}) {
    ExpectMasks(head.Segment({{&features, PromptOf(name), {}}}),
                absl::StrCat("click.", name, "."));
  }
  ExpectMasks(head.Segment({{&features, PromptOf("one"), model_["earlier"]}}),
              "refine.one.");
}

TEST_F(InteractiveParityTest, ABatchGivesWhatEachPromptGivesAlone) {
  const InteractiveHead head(weights_, model_.config());
  const ObjectFeatures features = Features();
  // "three" and "both" make four tokens each.
  const ObjectMasks both = head.Segment(
      {{&features, PromptOf("three"), {}}, {&features, PromptOf("both"), {}}});
  int64_t row = 0;
  for (const std::string name : {"three", "both"}) {
    ExpectMasks(
        {both.logits.narrow(0, row, 1), both.predicted_iou.narrow(0, row, 1),
         both.object_logit.narrow(0, row, 1),
         both.mask_tokens.narrow(0, row, 1)},
        absl::StrCat("click.", name, "."));
    ++row;
  }
}

// The random model's first masks are all unstable; these are of every kind.
TEST(ChooseStableMaskTest, TheFirstIsKeptWhereItIsStable) {
  ObjectMasks masks;
  masks.predicted_iou =
      at::tensor({0.1f, 0.2f, 0.9f, 0.3f}).expand({3, 4}).clone();
  masks.logits = at::full({3, 4, 8, 8}, -5.0f);
  masks.logits[0][0].fill_(5);      // clear
  masks.logits[1][0].fill_(0.01f);  // all of it between the two thresholds
  // The last one's first mask is empty: nothing that could be unstable.
  const InteractiveConfig config;
  EXPECT_TRUE(ChooseStableMask(masks, config)
                  .equal(at::tensor({0, 2, 0}).to(at::kLong)));
  EXPECT_TRUE(ChooseStableMask(masks, {.replace_unstable = false})
                  .equal(at::zeros({3}, at::kLong)));
}

TEST_F(InteractiveParityTest, EveryTensorOfTheHeadIsRead) {
  const InteractiveHead head(weights_, model_.config());
  weights_.SkipAll("vision_encoder.");
  EXPECT_TRUE(weights_.Finish().ok()) << weights_.Finish();
}

}  // namespace
}  // namespace sam3
