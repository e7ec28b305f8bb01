#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/engine.h"
#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/safetensors.h"
#include "inference/torch/weights.h"

namespace sam3 {

// A tiny model and what the reference made of it, as written by
// tests/reference/tiny_models.py. Fails the test when a file is missing.
class ReferenceModel {
 public:
  // `name` is a folder under $SAM3_REFERENCE.
  explicit ReferenceModel(const std::string& name);

  // The reference's tensor; a failure and zeros when it has none.
  at::Tensor operator[](const std::string& name) const;
  const ModelConfig& config() const { return config_; }
  const std::string& folder() const { return folder_; }
  // A fresh reader over the checkpoint, fp32 on the CPU.
  WeightReader Weights() const;

 private:
  std::string folder_;
  std::shared_ptr<const SafetensorsFile> file_;
  Checkpoint checkpoint_;
  ModelConfig config_;
};

// max |a - b| / max |b|; infinite when shapes differ or a value is not finite.
double RelativeError(const at::Tensor& a, const at::Tensor& b);
// max |a - b|.
double AbsoluteError(const at::Tensor& a, const at::Tensor& b);

// The prompts that tiny_models.py ran: token ids and boxes.
TokenizedText ReferenceText(const std::string& name);
std::vector<Exemplar> ReferenceExemplars(const std::string& name);

// [1, 3, S, S] in -1..1 as an 8-bit picture.
Image PictureOf(const at::Tensor& pixels);

at::Tensor ToTensor(const NamedTensor& tensor);

}  // namespace sam3
