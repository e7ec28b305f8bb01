#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/descriptor.h"

namespace sam3 {

// The bytes of a file, from its beginning.
//
// Threads: as ByteReader; a read from a disk does not wait for Abort().
class FileBytes final : public ByteReader {
 public:
  // NOT_FOUND when it is not there, PERMISSION_DENIED, or what else opening it
  // fails with.
  static absl::StatusOr<std::unique_ptr<FileBytes>> Open(
      const std::string& path);
  explicit FileBytes(Descriptor file);

  int64_t Read(uint8_t* buffer, size_t size) override;
  void Abort() override {}
  // When this object was made.
  int64_t size() const override { return size_; }
  bool Seek(int64_t offset) override;

  const Descriptor& file() const { return file_; }

 private:
  const Descriptor file_;
  int64_t size_ = -1;
};

}  // namespace sam3
