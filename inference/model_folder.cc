#include "inference/model_folder.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "inference/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr absl::string_view kWanted =
    "a model folder holds config.json, model.safetensors, vocab.json and "
    "merges.txt, as facebook/sam3 on Hugging Face does";
constexpr absl::string_view kWeights = "model.safetensors";
constexpr absl::string_view kIndex = "model.safetensors.index.json";

// One folder's names, and errors that start with its path.
class Folder {
 public:
  explicit Folder(const std::string& path) : path_(path) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path_, error)) {
      names_.insert(entry.path().filename().string());
    }
  }

  bool Has(absl::string_view name) const {
    return names_.contains(std::string(name));
  }
  const std::set<std::string>& names() const { return names_; }

  // The first file with one of PyTorch's endings, or nothing.
  std::string PyTorchFile() const {
    for (const std::string& name : names_) {
      const std::string ending = fs::path(name).extension().string();
      if (ending == ".pt" || ending == ".pth" || ending == ".bin") return name;
    }
    return "";
  }

  Json ReadJson(absl::string_view name) const {
    std::ifstream stream(path_ / std::string(name));
    return Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  }
  bool IsLfsPointer(absl::string_view name) const {
    constexpr absl::string_view kPointer = "version https://git-lfs";
    std::string start(kPointer.size(), '\0');
    std::ifstream stream(path_ / std::string(name), std::ios::binary);
    stream.read(start.data(), static_cast<std::streamsize>(start.size()));
    return start == kPointer;
  }

  template <typename... Parts>
  absl::Status Missing(const Parts&... what) const {
    return absl::NotFoundError(absl::StrCat(path_.string(), " ", what...));
  }
  template <typename... Parts>
  absl::Status Other(const Parts&... what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), " ", what...));
  }

 private:
  const fs::path path_;
  std::set<std::string> names_;
};

absl::Status CheckConfig(const Folder& folder) {
  if (!folder.Has("config.json")) {
    if (folder.names().empty()) return folder.Missing("is empty; ", kWanted);
    if (folder.Has("snapshots")) {
      return folder.Missing(
          "is a Hugging Face cache entry; give the folder below its snapshots");
    }
    if (const std::string file = folder.PyTorchFile(); !file.empty()) {
      return folder.Missing(
          "has ", file,
          ", a PyTorch checkpoint in its authors' own layout, and no "
          "config.json; take the safetensors files of the same repository: ",
          kWanted);
    }
    return folder.Missing("has no config.json; ", kWanted);
  }
  const Json config = folder.ReadJson("config.json");
  if (!config.is_object()) {
    return folder.Other("has a config.json that is no JSON; download it again");
  }
  const auto type = config.find("model_type");
  if (type != config.end() && type->is_string() &&
      absl::StartsWith(type->get<std::string>(), "sam2")) {
    return folder.Other("is a SAM 2 model (model_type ",
                        type->get<std::string>(),
                        "); this program runs SAM 3: ", kWanted);
  }
  return absl::OkStatus();
}

absl::Status CheckShards(const Folder& folder) {
  const Json index = folder.ReadJson(kIndex);
  const auto map =
      index.is_object() ? index.find("weight_map") : Json::const_iterator();
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    return folder.Other("has a ", kIndex,
                        " without a weight_map; download it again");
  }
  std::set<std::string> shards;
  for (const Json& shard : *map) {
    if (shard.is_string()) shards.insert(shard.get<std::string>());
  }
  std::vector<std::string> missing;
  for (const std::string& shard : shards) {
    if (!folder.Has(shard)) missing.push_back(shard);
  }
  if (missing.empty()) return absl::OkStatus();
  return folder.Missing("lacks ", missing.size(), " of ", shards.size(),
                        " shards that ", kIndex,
                        " names: ", absl::StrJoin(missing, ", "),
                        "; download the rest of the model");
}

absl::Status CheckWeights(const Folder& folder) {
  for (const std::string& name : folder.names()) {
    if (absl::EndsWith(name, ".safetensors") && folder.IsLfsPointer(name)) {
      return folder.Other("has only Git LFS's pointer in place of ", name,
                          "; run `git lfs pull` there");
    }
  }
  if (folder.Has(kWeights)) return absl::OkStatus();
  if (folder.Has(kIndex)) return CheckShards(folder);
  if (const std::string file = folder.PyTorchFile(); !file.empty()) {
    return folder.Missing("has ", file,
                          ", a PyTorch archive, and no safetensors; take ",
                          kWeights, " of the same model, or convert it");
  }
  return folder.Missing("has neither ", kWeights, " nor ", kIndex, "; ",
                        kWanted);
}

}  // namespace

absl::Status CheckModelFolder(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such folder"));
  }
  if (!fs::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is a file; give the folder that holds it"));
  }
  const Folder folder(path);
  SAM3_RETURN_IF_ERROR(CheckConfig(folder));
  SAM3_RETURN_IF_ERROR(CheckWeights(folder));
  if ((!folder.Has("vocab.json") || !folder.Has("merges.txt")) &&
      !folder.Has("tokenizer.json")) {
    return folder.Missing(
        "has neither vocab.json with merges.txt nor tokenizer.json; ", kWanted);
  }
  return absl::OkStatus();
}

int64_t WeightFileBytes(const std::string& folder) {
  std::error_code error;
  int64_t total = 0;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".safetensors") continue;
    const uintmax_t size = entry.file_size(error);
    if (!error) total += static_cast<int64_t>(size);
  }
  return total;
}

}  // namespace sam3
