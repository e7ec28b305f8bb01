// Checkpoints that do not fit: every kind of damage is named, nothing crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "inference/engine_factory.h"
#include "inference/torch/torch_engine.h"
#include "nlohmann/json.hpp"
#include "tests/inference/torch/reference_file.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string ReadBytes(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

void WriteBytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A copy of the tiny model whose files a test may damage.
class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() : model_("tiled") {
    folder_ = fs::path(testing::TempDir()) / "sam3_checkpoint_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy_file(fs::path(model_.folder()) / name, folder_ / name);
    }
    const std::string bytes = ReadBytes(weights());
    uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof(size));
    header_ = Json::parse(bytes.substr(8, size));
    payload_ = bytes.substr(8 + size);
  }
  ~CheckpointTest() override { fs::remove_all(folder_); }

  fs::path weights() const { return folder_ / "model.safetensors"; }

  void WriteWeights(const fs::path& path) const {
    const std::string header = header_.dump();
    const uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
    WriteBytes(path, bytes + header + payload_);
  }

  absl::Status Load() const {
    return CreateTorchEngine({}, ReadBytes(folder_ / "config.json"),
                             {folder_.string(), {}}, "tiny")
        .status();
  }

  // The checkpoint's name of a tensor, with whatever prefix the file has.
  std::string NameOf(const std::string& part) const {
    for (const auto& [name, entry] : header_.items()) {
      if (name.ends_with(part)) return name;
    }
    ADD_FAILURE() << part;
    return "";
  }

  const ReferenceModel model_;
  fs::path folder_;
  Json header_;
  std::string payload_;
};

TEST_F(CheckpointTest, TheUntouchedOneLoads) {
  EXPECT_THAT(Load(), IsOk());
  WriteWeights(weights());
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(CheckpointTest, MissingExtraMisshapenAndNanAreNamedInOneError) {
  const std::string missing = NameOf("neck.fpn_layers.0.proj1.weight");
  const std::string misshapen = NameOf("detr_decoder.query_embed.weight");
  const std::string nan = NameOf("text_projection.bias");
  header_["something.else"] = header_[missing];
  header_.erase(missing);
  header_[misshapen]["shape"] = {10, 128};
  const float value = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(
      payload_.data() + header_[nan]["data_offsets"][0].get<size_t>() + 8,
      &value, sizeof(value));
  WriteWeights(weights());
  const absl::Status status = Load();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr("1 missing: vision_encoder.neck.fpn_layers.0.proj1"),
            HasSubstr("1 misshapen: detr_decoder.query_embed.weight is F32 "
                      "[10, 128], not [20, 64]"),
            HasSubstr("1 with NaN or infinity: text_projection.bias"),
            HasSubstr("1 unexpected: something.else")));
}

TEST_F(CheckpointTest, TensorsOfOtherTypesAreNamed) {
  const std::string name = NameOf("detr_decoder.query_embed.weight");
  header_[name]["dtype"] = "I32";
  WriteWeights(weights());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, "I32"));
  header_[name]["dtype"] = "Q7";
  WriteWeights(weights());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, "Q7"));
}

TEST_F(CheckpointTest, EveryTruncationIsRefused) {
  const std::string bytes = ReadBytes(weights());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{7}, size_t{8},
                            size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    WriteBytes(weights(), bytes.substr(0, size));
    const absl::Status status = Load();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr("model.safetensors"));
  }
}

TEST_F(CheckpointTest, HeadersThatLieAreRefused) {
  const std::string name = NameOf("detr_decoder.query_embed.weight");
  const Json good = header_;
  const std::pair<const char*, std::function<void(Json&)>> lies[] = {
      {"bytes",
       [](Json& e) {
         e["shape"] = {20, 65};
       }},
      {"overflows",
       [](Json& e) {
         e["shape"] = {1LL << 40, 1LL << 40};
       }},
      {"malformed",
       [](Json& e) {
         e["shape"] = {-20, -64};
       }},
      {"malformed", [](Json& e) { e["data_offsets"] = {8}; }},
      {"lies at bytes",
       [](Json& e) {
         e["data_offsets"] = {1ULL << 60, (1ULL << 60) + 8};
       }},
      {"lies at bytes",
       [](Json& e) {
         e["data_offsets"] = {16, 8};
       }},
      {"malformed", [](Json& e) { e = 7; }}};
  for (const auto& [part, lie] : lies) {
    header_ = good;
    lie(header_[name]);
    WriteWeights(weights());
    const absl::Status status = Load();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(name), HasSubstr(part)));
  }
}

TEST_F(CheckpointTest, OtherFilesAreRecognised) {
  WriteBytes(weights(), std::string("PK\x03\x04", 4) + std::string(64, 'x'));
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument, ".pt archive"));
  WriteBytes(weights(), std::string(64, '\xff'));
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, "header"));
  fs::remove(weights());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "index.json"));
  EXPECT_THAT(CreateTorchEngine({}, "{\"model_type\": \"sam3\"}",
                                {"/nonexistent", {}}, "x")
                  .status(),
              StatusIs(absl::StatusCode::kNotFound, "no such folder"));
}

TEST_F(CheckpointTest, ShardsAreReadTogether) {
  // Two files with half of the tensors each, sharing one payload.
  Json whole = header_;
  Json index;
  Json halves[2];
  int position = 0;
  for (const auto& [name, entry] : whole.items()) {
    if (name == "__metadata__") continue;
    const int half = position++ % 2;
    halves[half][name] = entry;
    index["weight_map"][name] = half == 0 ? "a.safetensors" : "b.safetensors";
  }
  fs::remove(weights());
  for (int half = 0; half < 2; ++half) {
    header_ = halves[half];
    WriteWeights(folder_ / (half == 0 ? "a.safetensors" : "b.safetensors"));
  }
  const fs::path index_path = folder_ / "model.safetensors.index.json";
  WriteBytes(index_path, index.dump());
  EXPECT_THAT(Load(), IsOk());

  fs::copy_file(folder_ / "a.safetensors", folder_ / "c.safetensors");
  index["weight_map"]["x"] = "c.safetensors";
  WriteBytes(index_path, index.dump());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "more than one shard"));
  index["weight_map"]["x"] = "../outside.safetensors";
  WriteBytes(index_path, index.dump());
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, "x has no"));
  index["weight_map"].erase("x");
  WriteBytes(index_path, index.dump());
  fs::remove(folder_ / "b.safetensors");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "b.safetensors"));
}

TEST_F(CheckpointTest, AVideoModelsFileGivesItsDetector) {
  Json renamed;
  for (const auto& [name, entry] : header_.items()) {
    if (name == "__metadata__") continue;
    std::string plain = name;
    const std::string prefix = "detector_model.";
    if (plain.starts_with(prefix)) plain = plain.substr(prefix.size());
    renamed[prefix + plain] = entry;
  }
  renamed["tracker_model.memory.weight"] = renamed.front();
  renamed["tracker_neck.fpn_layers.0.proj1.weight"] = renamed.front();
  header_ = renamed;
  WriteWeights(weights());
  Json config = Json::parse(ReadBytes(folder_ / "config.json"));
  Json video;
  video["model_type"] = "sam3_video";
  video["detector_config"] = config;
  WriteBytes(folder_ / "config.json", video.dump());
  EXPECT_THAT(Load(), IsOk());
}

TEST_F(CheckpointTest, TheFingerprintFollowsWeightsAndConfiguration) {
  const auto fingerprint = [this] {
    return (*CreateTorchEngine({}, ReadBytes(folder_ / "config.json"),
                               {folder_.string(), {}}, "tiny"))
        ->info()
        .model_fingerprint;
  };
  const std::string before = fingerprint();
  EXPECT_EQ(before.size(), 32u);
  EXPECT_EQ(fingerprint(), before);
  payload_[100] = static_cast<char>(payload_[100] ^ 1);
  WriteWeights(weights());
  EXPECT_NE(fingerprint(), before);
}

}  // namespace
}  // namespace sam3
