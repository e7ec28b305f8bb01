#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/engine.h"
#include "inference/torch/aten.h"
#include "inference/torch/safetensors.h"

namespace sam3 {

// The tensors of one model folder: the detector's under the names of the
// reference's Sam3Model, whatever the file calls them (the published
// Sam3VideoModel file has them under "detector_model."), and the tracker's,
// where there are any, under "tracker_model." and "tracker_neck.".
//
// Immutable after creation; safe from any thread.
class Checkpoint {
 public:
  // Reads model.safetensors, or the shards that model.safetensors.index.json
  // names. NOT_FOUND says what was looked for; INVALID_ARGUMENT names the file.
  static absl::StatusOr<Checkpoint> FromFolder(const std::string& folder);
  static absl::StatusOr<Checkpoint> FromFile(
      std::shared_ptr<const SafetensorsFile> file);

  const std::map<std::string, StoredTensor>& tensors() const {
    return tensors_;
  }
  const std::vector<std::shared_ptr<const SafetensorsFile>>& files() const {
    return files_;
  }
  // Of whole files, with what is left out here.
  StoredTotals stored_totals() const;
  size_t size_bytes() const;

 private:
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::map<std::string, StoredTensor> tensors_;
};

// Hands out a checkpoint's tensors by name and remembers everything that is
// missing, misshapen, not finite or left over, so that one error names it all.
//
// A tensor whose stored type and place are already right is a view into the
// file's memory, not a copy; it must not be written to and must not outlive the
// checkpoint. Not thread-safe.
class WeightReader {
 public:
  // `checkpoint` must outlive the reader and all tensors.
  WeightReader(const Checkpoint& checkpoint, at::Device device,
               at::ScalarType dtype)
      : checkpoint_(checkpoint), device_(device), dtype_(dtype) {}

  at::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }

  // The tensor, on the device and in the model's type. When something is wrong
  // with it: zeros of that shape, and Finish() will fail.
  at::Tensor Read(const std::string& name, const std::vector<int64_t>& shape) {
    return ReadAs(name, shape, dtype_);
  }
  // The same in fp32, for what must not be rounded.
  at::Tensor ReadFloat(const std::string& name,
                       const std::vector<int64_t>& shape) {
    return ReadAs(name, shape, at::kFloat);
  }
  // Accounts for a tensor that belongs to the model but is never used.
  void Skip(const std::string& name) {
    used_.insert(name);
    skipped_.insert(name);
  }
  // The same for all whose names begin so.
  void SkipAll(absl::string_view prefix);
  // Whether the checkpoint has any whose name begins so.
  bool Has(absl::string_view prefix) const;

  // Numbers in the tensors that were read.
  int64_t parameter_count() const;

  // OK when every tensor was found and none is left over; INVALID_ARGUMENT
  // names the first few of each kind and counts the rest.
  absl::Status Finish() const;

 private:
  at::Tensor ReadAs(const std::string& name, const std::vector<int64_t>& shape,
                    at::ScalarType dtype);

  const Checkpoint& checkpoint_;
  const at::Device device_;
  const at::ScalarType dtype_;
  std::set<std::string> used_;
  std::set<std::string> skipped_;
  std::vector<std::string> missing_;
  std::vector<std::string> misshapen_;
  std::vector<std::string> not_finite_;
};

}  // namespace sam3
