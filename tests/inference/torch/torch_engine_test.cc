// The engine as a whole: the reference's final numbers, independence of batch
// mates, thresholds, and checkpoints that do not fit.
#include "inference/torch/torch_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "inference/engine_factory.h"
#include "tests/inference/torch/reference_file.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

std::unique_ptr<Engine> LoadTiny(const ReferenceModel& model,
                                 EngineOptions options = {}) {
  auto engine =
      CreateTorchEngine(options, ReadText(model.folder() + "/config.json"),
                        {model.folder(), {}}, "tiny");
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

GroundItem ItemOf(Engine& engine, const ReferenceModel& model,
                  const std::string& prompt) {
  GroundItem item;
  item.image = engine.EncodeImages({PictureOf(model["pixels"])})->front();
  item.text = engine.EncodeTexts({ReferenceText(prompt)})->front();
  item.exemplars = ReferenceExemplars(prompt);
  item.options.score_threshold = 0;
  return item;
}

std::vector<Detections> GroundAll(Engine& engine,
                                  std::vector<GroundItem> items) {
  auto pending = engine.Ground(items);
  EXPECT_TRUE(pending.ok()) << pending.status();
  auto results = (*pending)->Take();
  EXPECT_TRUE(results.ok()) << results.status();
  return *std::move(results);
}

// Largest difference of scores and mask probabilities, matched by query.
double Distance(const Detections& a, const Detections& b) {
  EXPECT_EQ(a.detections.size(), b.detections.size());
  double worst = 0;
  for (const Detection& x : a.detections) {
    const auto y = std::find_if(
        b.detections.begin(), b.detections.end(),
        [&](const Detection& d) { return d.query_index == x.query_index; });
    if (y == b.detections.end()) return std::numeric_limits<double>::infinity();
    worst = std::max<double>(worst, std::abs(x.score - y->score));
    EXPECT_EQ(x.mask.values.size(), y->mask.values.size());
    for (size_t i = 0; i < x.mask.values.size(); ++i) {
      worst = std::max<double>(worst,
                               std::abs(x.mask.values[i] - y->mask.values[i]));
    }
  }
  return worst;
}

class TorchEngineTest : public testing::TestWithParam<const char*> {};

TEST_P(TorchEngineTest, RawOutputsEqualTheReference) {
  const ReferenceModel model(GetParam());
  const auto engine = LoadTiny(model);
  for (const std::string name : {"short", "long", "visual"}) {
    const auto tensors = engine->RawConceptOutputs(PictureOf(model["pixels"]),
                                                   ReferenceText(name),
                                                   ReferenceExemplars(name));
    ASSERT_TRUE(tensors.ok()) << tensors.status();
    for (const NamedTensor& tensor : *tensors) {
      if (tensor.name == "pixel_values") {
        EXPECT_LE(AbsoluteError(ToTensor(tensor), model["pixels"].squeeze(0)),
                  1e-6);
        continue;
      }
      at::Tensor expected = model["prompt." + name + "." + tensor.name];
      expected = expected.reshape(tensor.shape);
      const double limit =
          tensor.name == "pred_masks" || tensor.name == "semantic_seg" ? 5e-3
                                                                       : 1e-4;
      EXPECT_LE(AbsoluteError(ToTensor(tensor), expected), limit)
          << name << " " << tensor.name;
    }
  }
}

TEST_P(TorchEngineTest, ResultDoesNotDependOnBatchMates) {
  const ReferenceModel model(GetParam());
  const auto engine = LoadTiny(model);
  std::vector<GroundItem> items;
  for (const std::string name : {"short", "long", "visual", "short"}) {
    items.push_back(ItemOf(*engine, model, name));
  }
  const std::vector<Detections> together = GroundAll(*engine, items);
  for (size_t i = 0; i < items.size(); ++i) {
    EXPECT_LE(Distance(GroundAll(*engine, {items[i]}).front(), together[i]),
              5e-4)
        << i;
  }
  // The prompts differ from each other by far more than rounding.
  EXPECT_GT(Distance(together[0], together[1]), 1e-2);
}

TEST_P(TorchEngineTest, PicturesOfABatchAreIndependent) {
  const ReferenceModel model(GetParam());
  const auto engine = LoadTiny(model);
  const at::Tensor pixels = model["pixels"];
  const std::vector<Image> images = {PictureOf(pixels),
                                     PictureOf(pixels.flip(3))};
  const auto together = *engine->EncodeImages(images);
  GroundItem item = ItemOf(*engine, model, "long");
  for (size_t i = 0; i < images.size(); ++i) {
    item.image = engine->EncodeImages({images[i]})->front();
    const Detections alone = GroundAll(*engine, {item}).front();
    item.image = together[i];
    EXPECT_LE(Distance(alone, GroundAll(*engine, {item}).front()), 5e-4) << i;
  }
}

TEST_P(TorchEngineTest, AlwaysPresentClassTokenIsTheAuthorsRule) {
  const ReferenceModel model(GetParam());
  const auto engine = LoadTiny(model, {.class_token = ClassTokenRule::kAlways});
  const auto tensors = *engine->RawConceptOutputs(PictureOf(model["pixels"]),
                                                  ReferenceText("short"), {});
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name != "pred_logits" && tensor.name != "pred_masks") continue;
    const at::Tensor expected =
        model["always." + tensor.name].reshape(tensor.shape);
    EXPECT_LE(AbsoluteError(ToTensor(tensor), expected),
              tensor.name == "pred_logits" ? 1e-4 : 5e-3);
    // And it is another result than without the token.
    EXPECT_GT(AbsoluteError(
                  ToTensor(tensor),
                  model["prompt.short." + tensor.name].reshape(tensor.shape)),
              1e-2);
  }
}

TEST_P(TorchEngineTest, Bf16StaysCloseToFp32) {
  const ReferenceModel model(GetParam());
  const auto exact = LoadTiny(model);
  const auto rounded = LoadTiny(model, {.dtype = DtypeChoice::kBf16});
  EXPECT_EQ(rounded->info().dtype, "bf16");
  const auto a =
      GroundAll(*exact, {ItemOf(*exact, model, "long")}).front().detections;
  const auto b =
      GroundAll(*rounded, {ItemOf(*rounded, model, "long")}).front().detections;
  ASSERT_EQ(a.size(), b.size());
  std::vector<float> scores(a.size());
  for (const Detection& d : a) scores[d.query_index] = d.score;
  for (const Detection& d : b) {
    EXPECT_NEAR(scores[d.query_index], d.score, 0.05) << d.query_index;
  }
}

INSTANTIATE_TEST_SUITE_P(TinyModels, TorchEngineTest,
                         testing::Values("tiled", "padded"),
                         [](const auto& info) { return info.param; });

TEST(TorchEngineOptionsTest, ThresholdLimitAndMasks) {
  const ReferenceModel model("tiled");
  const auto engine = LoadTiny(model);
  GroundItem item = ItemOf(*engine, model, "short");
  const Detections all = GroundAll(*engine, {item}).front();
  ASSERT_EQ(all.detections.size(), 20u);
  for (size_t i = 1; i < all.detections.size(); ++i) {
    EXPECT_GE(all.detections[i - 1].score, all.detections[i].score);
  }
  item.options.max_detections = 3;
  EXPECT_EQ(GroundAll(*engine, {item}).front().detections.size(), 3u);
  // The threshold itself is out.
  item.options = {.score_threshold = all.detections[4].score,
                  .want_masks = false};
  const Detections some = GroundAll(*engine, {item}).front();
  EXPECT_EQ(some.detections.size(), 4u);
  EXPECT_TRUE(some.detections.front().mask.empty());
  item.options.score_threshold = 1.0f;
  EXPECT_TRUE(GroundAll(*engine, {item}).front().detections.empty());
}

TEST(TorchEngineOptionsTest, TokensBeyondTheVocabularyAreRefused) {
  const ReferenceModel model("tiled");
  const auto engine = LoadTiny(model);
  TokenizedText text = ReferenceText("short");
  text.ids[1] = 1000;
  EXPECT_EQ(engine->EncodeTexts({text}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(TorchEngineOptionsTest, UnknownDevicesAreRefused) {
  const ReferenceModel model("tiled");
  const std::string config = ReadText(model.folder() + "/config.json");
  EXPECT_EQ(
      CreateTorchEngine({.device = "tpu"}, config, {model.folder(), {}}, "tiny")
          .status()
          .code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateTorchEngine({.device = "cuda:77"}, config,
                              {model.folder(), {}}, "tiny")
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(TorchEngineWarmupTest, RunsEveryBatchSize) {
  const ReferenceModel model("tiled");
  const auto engine = LoadTiny(model);
  EXPECT_TRUE(engine->Warmup({1, 3}).ok());
}

}  // namespace
}  // namespace sam3
