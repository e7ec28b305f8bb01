#include "inference/torch/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace sam3 {
namespace {

using Json = nlohmann::json;

// The format's own limit.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;

size_t ElementSize(absl::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") {
    return 2;
  }
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" ||
      dtype == "F8_E5M2") {
    return 1;
  }
  return 0;
}

absl::Status Damaged(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

// Reads a list of non-negative integers; false for anything else.
bool ReadSizes(const Json& entry, const char* key, std::vector<int64_t>* out) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) return false;
  for (const Json& value : *found) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0) return false;
    out->push_back(value.get<int64_t>());
  }
  return true;
}

absl::StatusOr<StoredTensor> ReadEntry(const Json& entry,
                                       absl::string_view payload) {
  StoredTensor tensor;
  std::vector<int64_t> offsets;
  const auto dtype = entry.is_object() ? entry.find("dtype") : entry.end();
  if (!entry.is_object() || dtype == entry.end() || !dtype->is_string() ||
      !ReadSizes(entry, "shape", &tensor.shape) ||
      !ReadSizes(entry, "data_offsets", &offsets) || offsets.size() != 2) {
    return absl::InvalidArgumentError("has a malformed entry");
  }
  tensor.dtype = dtype->get<std::string>();
  uint64_t expected = ElementSize(tensor.dtype);
  if (expected == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the unknown dtype ", tensor.dtype));
  }
  for (const int64_t side : tensor.shape) {
    if (__builtin_mul_overflow(expected, static_cast<uint64_t>(side),
                               &expected)) {
      return absl::InvalidArgumentError("has a shape that overflows");
    }
  }
  const auto begin = static_cast<uint64_t>(offsets[0]);
  const auto end = static_cast<uint64_t>(offsets[1]);
  if (begin > end || end > payload.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("lies at bytes ", begin, "..", end, " of a payload of ",
                     payload.size(), " (is the file truncated?)"));
  }
  if (end - begin != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", end - begin, " bytes where its shape needs ", expected));
  }
  tensor.data = reinterpret_cast<const uint8_t*>(payload.data()) + begin;
  tensor.size_bytes = expected;
  return tensor;
}

absl::Status FromErrno(const std::string& path) {
  const int error = errno;
  const std::string message =
      absl::StrCat(path, ": ", std::generic_category().message(error));
  if (error == ENOENT) return absl::NotFoundError(message);
  return absl::PermissionDeniedError(message);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FromErrno(path);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Damaged(path, "is not a regular file");
  }
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) {
    ::close(fd);
    return Damaged(path, "is empty");
  }
  // A private writable mapping: libtorch's tensors are nominally mutable, and
  // pages that nobody writes stay shared with the page cache.
  void* memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) return FromErrno(path);
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile(
      absl::string_view(static_cast<const char*>(memory), size), true));
  SAM3_RETURN_IF_ERROR(file->ReadHeader(path));
  return file;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>>
SafetensorsFile::FromMemory(absl::string_view bytes, const std::string& name) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile(bytes, false));
  SAM3_RETURN_IF_ERROR(file->ReadHeader(name));
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapped_) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void SafetensorsFile::DropPages() const {
  if (mapped_) {
    ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
  }
}

absl::Status SafetensorsFile::ReadHeader(const std::string& name) {
  if (bytes_.size() < 8) return Damaged(name, "is too short for safetensors");
  if (absl::StartsWith(bytes_, "PK\x03\x04")) {
    return Damaged(name,
                   "is a PyTorch .pt archive; convert it to safetensors first");
  }
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes_.data(), sizeof(header_size));
  if (header_size > kMaxHeaderBytes || header_size > bytes_.size() - 8) {
    return Damaged(name, absl::StrCat("claims a header of ", header_size,
                                      " bytes; it is truncated or no "
                                      "safetensors file"));
  }
  const absl::string_view header = bytes_.substr(8, header_size);
  const absl::string_view payload = bytes_.substr(8 + header_size);
  const Json document = Json::parse(header.begin(), header.end(), nullptr,
                                    /*allow_exceptions=*/false);
  if (!document.is_object()) return Damaged(name, "its header is not JSON");
  for (const auto& [key, entry] : document.items()) {
    if (key == "__metadata__") continue;
    absl::StatusOr<StoredTensor> tensor = ReadEntry(entry, payload);
    if (!tensor.ok()) {
      return Damaged(
          name, absl::StrCat("tensor ", key, " ", tensor.status().message()));
    }
    tensors_.emplace(key, *std::move(tensor));
  }
  return absl::OkStatus();
}

}  // namespace sam3
