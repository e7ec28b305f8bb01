#include "tests/inference/torch/reference_file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

namespace sam3 {

ReferenceModel::ReferenceModel(const std::string& name) {
  const char* root = std::getenv("SAM3_REFERENCE");
  folder_ = std::string(root == nullptr ? "." : root) + "/" + name;
  auto file = SafetensorsFile::Open(folder_ + "/reference.safetensors");
  auto checkpoint = Checkpoint::FromFolder(folder_);
  std::ifstream stream(folder_ + "/config.json");
  auto config =
      ParseModelConfig(std::string(std::istreambuf_iterator<char>(stream), {}));
  EXPECT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE(config.ok()) << config.status();
  file_ = *std::move(file);
  checkpoint_ = *std::move(checkpoint);
  config_ = *std::move(config);
}

at::Tensor ReferenceModel::operator[](const std::string& name) const {
  const auto found = file_->tensors().find(name);
  if (found == file_->tensors().end()) {
    ADD_FAILURE() << "the reference has no " << name;
    return at::zeros({1});
  }
  return at::from_blob(const_cast<uint8_t*>(found->second.data),
                       found->second.shape, at::kFloat)
      .clone();
}

WeightReader ReferenceModel::Weights() const {
  return WeightReader(checkpoint_, at::kCPU, at::kFloat);
}

double AbsoluteError(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || !a.isfinite().all().item<bool>()) {
    ADD_FAILURE() << "shape " << a.sizes() << " against " << b.sizes()
                  << ", or not finite";
    return std::numeric_limits<double>::infinity();
  }
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return AbsoluteError(a, b) / b.to(at::kDouble).abs().max().item<double>();
}

TokenizedText ReferenceText(const std::string& name) {
  static const std::map<std::string, std::vector<int32_t>> kTexts = {
      {"short", {998, 5, 17, 999}},
      {"long", {998, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 999}},
      {"visual", {998, 42, 999}}};
  const std::vector<int32_t>& ids = kTexts.at(name);
  TokenizedText text;
  text.ids.fill(999);
  std::copy(ids.begin(), ids.end(), text.ids.begin());
  text.length = static_cast<int>(ids.size());
  return text;
}

std::vector<Exemplar> ReferenceExemplars(const std::string& name) {
  const auto box = [](float cx, float cy, float w, float h, bool positive) {
    return Exemplar{
        {cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2},
        positive ? ExemplarLabel::kPositive : ExemplarLabel::kNegative};
  };
  if (name == "long") {
    return {box(0.30f, 0.40f, 0.20f, 0.30f, true),
            box(0.75f, 0.60f, 0.45f, 0.70f, false),
            box(0.10f, 0.90f, 0.05f, 0.12f, true)};
  }
  if (name == "visual") return {box(0.5f, 0.5f, 0.9f, 0.8f, true)};
  return {};
}

Image PictureOf(const at::Tensor& pixels) {
  const at::Tensor bytes = ((pixels.squeeze(0) + 1) * 127.5)
                               .round()
                               .to(at::kByte)
                               .permute({1, 2, 0})
                               .contiguous();
  HeapAllocator allocator;
  std::shared_ptr<uint8_t> memory =
      allocator.Allocate(static_cast<size_t>(bytes.numel()));
  std::copy_n(bytes.const_data_ptr<uint8_t>(), bytes.numel(), memory.get());
  return Image(memory, static_cast<int>(bytes.size(1)),
               static_cast<int>(bytes.size(0)));
}

at::Tensor ToTensor(const NamedTensor& tensor) {
  return at::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape,
                       at::kFloat)
      .clone();
}

}  // namespace sam3
