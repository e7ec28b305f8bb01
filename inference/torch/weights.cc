#include "inference/torch/weights.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "inference/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace sam3 {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr absl::string_view kDetectorPrefix = "detector_model.";
constexpr size_t kNamesPerKind = 8;

absl::StatusOr<std::set<std::string>> ShardNames(const fs::path& index) {
  std::ifstream stream(index);
  const Json document = Json::parse(stream, nullptr, false);
  const auto map =
      document.is_object() ? document.find("weight_map") : document.end();
  std::set<std::string> names;
  if (document.is_object() && map != document.end() && map->is_object()) {
    for (const auto& [tensor, file] : map->items()) {
      // A shard lies beside its index; anything else is an attempt to read
      // other files.
      if (!file.is_string() || fs::path(file.get<std::string>()).filename() !=
                                   file.get<std::string>()) {
        return absl::InvalidArgumentError(
            absl::StrCat(index.string(), ": ", tensor, " has no file name"));
      }
      names.insert(file.get<std::string>());
    }
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(index.string(), ": no weight_map"));
  }
  return names;
}

std::optional<at::ScalarType> TorchType(absl::string_view dtype) {
  if (dtype == "F32") return at::kFloat;
  if (dtype == "F16") return at::kHalf;
  if (dtype == "BF16") return at::kBFloat16;
  if (dtype == "F64") return at::kDouble;
  return std::nullopt;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

int64_t ElementCount(const StoredTensor& tensor) {
  int64_t count = 1;
  for (const int64_t side : tensor.shape) count *= side;
  return count;
}

void AppendKind(const std::vector<std::string>& names, absl::string_view kind,
                std::vector<std::string>* parts) {
  if (names.empty()) return;
  const auto shown = absl::MakeConstSpan(names).subspan(0, kNamesPerKind);
  std::string part =
      absl::StrCat(names.size(), " ", kind, ": ", absl::StrJoin(shown, ", "));
  if (shown.size() < names.size()) {
    absl::StrAppend(&part, " and ", names.size() - shown.size(), " more");
  }
  parts->push_back(std::move(part));
}

}  // namespace

absl::StatusOr<Checkpoint> Checkpoint::FromFolder(const std::string& folder) {
  const fs::path root(folder);
  std::error_code error;
  if (!fs::is_directory(root, error)) {
    return absl::NotFoundError(absl::StrCat(folder, ": no such folder"));
  }
  std::set<std::string> names = {"model.safetensors"};
  const fs::path index = root / "model.safetensors.index.json";
  if (!fs::exists(root / "model.safetensors", error)) {
    if (!fs::exists(index, error)) {
      return absl::NotFoundError(absl::StrCat(
          folder,
          ": neither model.safetensors nor model.safetensors.index.json is "
          "there"));
    }
    SAM3_ASSIGN_OR_RETURN(names, ShardNames(index));
  }
  Checkpoint whole;
  for (const std::string& name : names) {
    SAM3_ASSIGN_OR_RETURN(auto file,
                          SafetensorsFile::Open((root / name).string()));
    SAM3_ASSIGN_OR_RETURN(Checkpoint part, FromFile(std::move(file)));
    whole.files_.push_back(part.files_.front());
    for (auto& [tensor, stored] : part.tensors_) {
      if (!whole.tensors_.emplace(tensor, std::move(stored)).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            folder, ": tensor ", tensor, " is in more than one shard"));
      }
    }
  }
  return whole;
}

absl::StatusOr<Checkpoint> Checkpoint::FromFile(
    std::shared_ptr<const SafetensorsFile> file) {
  Checkpoint checkpoint;
  bool video = false;
  for (const auto& [name, stored] : file->tensors()) {
    video = video || absl::StartsWith(name, kDetectorPrefix) ||
            absl::StartsWith(name, "tracker_");
  }
  for (const auto& [name, stored] : file->tensors()) {
    absl::string_view key = name;
    if (video) absl::ConsumePrefix(&key, kDetectorPrefix);
    // The reference writes the prefix twice where it saved the model itself.
    if (absl::StartsWith(key, "tracker_model.tracker_model.")) {
      absl::ConsumePrefix(&key, "tracker_model.");
    }
    checkpoint.tensors_.emplace(std::string(key), stored);
  }
  checkpoint.files_.push_back(std::move(file));
  return checkpoint;
}

int64_t WeightReader::parameter_count() const {
  int64_t total = 0;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (used_.contains(name) && !skipped_.contains(name)) {
      total += ElementCount(stored);
    }
  }
  return total;
}

StoredTotals Checkpoint::stored_totals() const {
  StoredTotals totals;
  for (const auto& file : files_) {
    for (const auto& [name, stored] : file->tensors()) {
      ++totals.tensor_count;
      totals.parameter_count += ElementCount(stored);
      totals.size_bytes += static_cast<int64_t>(stored.size_bytes);
    }
  }
  return totals;
}

size_t Checkpoint::size_bytes() const {
  size_t total = 0;
  for (const auto& [name, stored] : tensors_) total += stored.size_bytes;
  return total;
}

at::Tensor WeightReader::ReadAs(const std::string& name,
                                const std::vector<int64_t>& shape,
                                at::ScalarType dtype) {
  used_.insert(name);
  const auto options = at::TensorOptions().device(device_).dtype(dtype);
  const auto found = checkpoint_.tensors().find(name);
  if (found == checkpoint_.tensors().end()) {
    missing_.push_back(absl::StrCat(name, " ", ShapeText(shape)));
    return at::zeros({1}, options).expand(shape);
  }
  const StoredTensor& stored = found->second;
  const std::optional<at::ScalarType> type = TorchType(stored.dtype);
  if (!type.has_value() || stored.shape != shape) {
    misshapen_.push_back(absl::StrCat(name, " is ", stored.dtype, " ",
                                      ShapeText(stored.shape), ", not ",
                                      ShapeText(shape)));
    return at::zeros({1}, options).expand(shape);
  }
  const at::Tensor view =
      at::from_blob(const_cast<uint8_t*>(stored.data), shape,
                    at::TensorOptions().dtype(*type));
  // The sum is finite exactly when every element is, short of an overflow that
  // the weights of a trained model are far from; one pass, no copy of fp32.
  if (!std::isfinite(view.to(at::kFloat).sum().item<float>())) {
    not_finite_.push_back(name);
  }
  return view.to(options);
}

void WeightReader::SkipAll(absl::string_view prefix) {
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (absl::StartsWith(name, prefix)) Skip(name);
  }
}

bool WeightReader::Has(absl::string_view prefix) const {
  const auto first = checkpoint_.tensors().lower_bound(std::string(prefix));
  return first != checkpoint_.tensors().end() &&
         absl::StartsWith(first->first, prefix);
}

absl::Status WeightReader::Finish() const {
  std::vector<std::string> extra;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (!used_.contains(name)) extra.push_back(name);
  }
  std::vector<std::string> parts;
  AppendKind(missing_, "missing", &parts);
  AppendKind(misshapen_, "misshapen", &parts);
  AppendKind(not_finite_, "with NaN or infinity", &parts);
  AppendKind(extra, "unexpected", &parts);
  if (parts.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the checkpoint does not fit its config.json: tensors ",
                   absl::StrJoin(parts, "; ")));
}

}  // namespace sam3
