#include "inference/model_config.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ModelConfigTest, AbsentSectionsHaveThePublishedDefaults) {
  const auto config = ParseModelConfig(R"({"model_type": "sam3"})");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->vit.layer_count, 32);
  EXPECT_EQ(config->vit.grid(), 72);
  EXPECT_EQ(config->text.layer_count, 24);
  EXPECT_EQ(config->geometry.layer_count, 3);
  EXPECT_EQ(config->query_count, 200);
  EXPECT_EQ(config->mask_size(), 288);
}

TEST(ModelConfigTest, TheDetectorOfAVideoModelIsTaken) {
  const auto config = ParseModelConfig(R"({
      "model_type": "sam3_video",
      "detector_config": {"detr_decoder_config": {"num_queries": 12}}})");
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->query_count, 12);
}

TEST(ModelConfigTest, OtherModelsAreNamed) {
  EXPECT_THAT(ParseModelConfig(R"({"model_type": "sam2_video"})"),
              StatusIs(absl::StatusCode::kInvalidArgument, "sam2_video"));
  EXPECT_THAT(ParseModelConfig("{"),
              StatusIs(absl::StatusCode::kInvalidArgument, "JSON"));
}

TEST(ModelConfigTest, EveryWrongValueIsToldAtOnce) {
  const auto config = ParseModelConfig(R"({
      "model_type": "sam3",
      "vision_config": {
        "scale_factors": [2.0, 1.0],
        "backbone_config": {"hidden_act": "swish", "window_size": 0,
                            "global_attn_indexes": [7, 99],
                            "rope_parameters": {"rope_type": "yarn"}}},
      "text_config": {"layer_norm_eps": -1},
      "detr_encoder_config": {"hidden_size": 100}})");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(
      std::string(config.status().message()),
      AllOf(HasSubstr("backbone_config.hidden_act"), HasSubstr("window_size"),
            HasSubstr("layer 99"), HasSubstr("rope_type"),
            HasSubstr("scale_factors"), HasSubstr("text_config.layer_norm_eps"),
            HasSubstr("detr_encoder_config.hidden_size")));
}

TEST(ModelConfigTest, ATrackerMustFitItsDetector) {
  const std::string detector =
      R"({"model_type": "sam3_video", "detector_config": {})";
  EXPECT_FALSE(ParseModelConfig(detector + "}")->interactive.has_value());
  EXPECT_TRUE(
      ParseModelConfig(detector +
                       R"(, "tracker_config": {"mask_decoder_config": {}}})")
          ->interactive.has_value());
  const auto config = ParseModelConfig(detector + R"(, "tracker_config": {
      "prompt_encoder_config": {"hidden_size": 64, "image_size": 336,
                                "mask_input_channels": 6},
      "mask_decoder_config": {
        "num_attention_heads": 65536, "attention_downsample_rate": 65536,
        "iou_head_depth": 1, "dynamic_multimask_via_stability": 1}}})");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()),
              AllOf(HasSubstr("prompt_encoder_config.hidden_size is 64"),
                    HasSubstr("prompt_encoder_config.image_size is 336"),
                    HasSubstr("mask_input_channels"),
                    HasSubstr("mask_decoder_config.num_attention_heads"),
                    HasSubstr("iou_head_depth"),
                    HasSubstr("dynamic_multimask_via_stability")));
}

}  // namespace
}  // namespace sam3
