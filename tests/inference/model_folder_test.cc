// Folders that people take for a SAM 3 model, and what they are told.
#include "inference/model_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "inference/engine_factory.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;

class ModelFolderTest : public testing::Test {
 protected:
  ModelFolderTest()
      : folder_(fs::path(testing::TempDir()) /
                testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(folder_);
  }
  ~ModelFolderTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  void WriteWhole() {
    Write("config.json", R"({"model_type": "sam3_video"})");
    Write("model.safetensors", "weights");
    Write("vocab.json", "{}");
    Write("merges.txt", "");
  }
  absl::Status Check() {
    const absl::Status status = CheckModelFolder(folder_.string());
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
    return status;
  }

  const fs::path folder_;
};

TEST_F(ModelFolderTest, AWholeFolderIsFine) {
  WriteWhole();
  EXPECT_THAT(Check(), IsOk());
  EXPECT_EQ(WeightFileBytes(folder_.string()), 7);
  fs::remove(folder_ / "merges.txt");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kNotFound, "merges.txt"));
  Write("tokenizer.json", "{}");
  EXPECT_THAT(Check(), IsOk());
}

TEST_F(ModelFolderTest, NoFolderAndEmptyFolder) {
  EXPECT_THAT(Check(), StatusIs(StatusCode::kNotFound, "is empty"));
  EXPECT_EQ(WeightFileBytes(folder_.string()), 0);
  EXPECT_THAT(CheckModelFolder((folder_ / "none").string()),
              StatusIs(StatusCode::kNotFound, "no such folder"));
  WriteWhole();
  EXPECT_THAT(CheckModelFolder((folder_ / "model.safetensors").string()),
              StatusIs(StatusCode::kInvalidArgument, "is a file"));
}

TEST_F(ModelFolderTest, TheAuthorsOwnCheckpoint) {
  Write("sam3.pt", "PK");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kNotFound, "sam3.pt, a PyTorch"));
  WriteWhole();
  EXPECT_THAT(Check(), IsOk());
  fs::remove(folder_ / "model.safetensors");
  EXPECT_THAT(Check(),
              StatusIs(StatusCode::kNotFound, "sam3.pt, a PyTorch archive"));
}

TEST_F(ModelFolderTest, AnotherModel) {
  WriteWhole();
  Write("config.json", R"({"model_type": "sam2_video"})");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kInvalidArgument,
                                "is a SAM 2 model (model_type sam2_video)"));
  Write("config.json", "not JSON");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kInvalidArgument, "no JSON"));
}

TEST_F(ModelFolderTest, MissingShardsAreNamed) {
  WriteWhole();
  fs::remove(folder_ / "model.safetensors");
  Write("model.safetensors.index.json", R"({"weight_map": {
      "a": "model-1.safetensors", "b": "model-2.safetensors",
      "c": "model-3.safetensors", "d": "model-1.safetensors"}})");
  Write("model-2.safetensors", "x");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kNotFound,
                                "lacks 2 of 3 shards that "
                                "model.safetensors.index.json names: "
                                "model-1.safetensors, model-3.safetensors"));
  Write("model-1.safetensors", "x");
  Write("model-3.safetensors", "x");
  EXPECT_THAT(Check(), IsOk());
  Write("model.safetensors.index.json", "{}");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kInvalidArgument, "weight_map"));
}

TEST_F(ModelFolderTest, ThingsThatAreNearlyAModel) {
  fs::create_directories(folder_ / "snapshots");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kNotFound, "snapshots"));
  WriteWhole();
  Write("model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_THAT(Check(), StatusIs(StatusCode::kInvalidArgument, "git lfs pull"));
}

TEST_F(ModelFolderTest, LoadingLooksFirst) {
  EngineOptions options;
  options.model_dir = folder_.string();
  EXPECT_THAT(LoadModel(options), StatusIs(StatusCode::kNotFound, "is empty"));
}

}  // namespace
}  // namespace sam3
