#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// One tensor of a safetensors file; points into the file's memory.
struct StoredTensor {
  std::string dtype;  // as written in the file: "F32", "BF16", …
  std::vector<int64_t> shape;
  const uint8_t* data = nullptr;
  size_t size_bytes = 0;
};

// A safetensors file, mapped into memory and checked: the header is JSON of
// sane size, every tensor lies inside the file and has as many bytes as its
// shape says.
//
// Immutable after creation; safe from any thread. Opening blocks for the header
// only; pages are read when touched. Tensors live as long as the file does.
class SafetensorsFile {
 public:
  // NOT_FOUND or PERMISSION_DENIED from the system, INVALID_ARGUMENT for a
  // damaged file; the message starts with the path.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::string& path);

  // A file that is in memory already and stays there. `name` is for messages.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> FromMemory(
      absl::string_view bytes, const std::string& name);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::map<std::string, StoredTensor>& tensors() const {
    return tensors_;
  }
  // Gives the file's pages back to the system; they are read again if they are
  // touched again. For when every tensor has been copied elsewhere.
  void DropPages() const;

  // The whole file, for fingerprints.
  absl::string_view bytes() const { return bytes_; }

 private:
  SafetensorsFile(absl::string_view bytes, bool mapped)
      : bytes_(bytes), mapped_(mapped) {}
  absl::Status ReadHeader(const std::string& name);

  const absl::string_view bytes_;
  const bool mapped_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace sam3
