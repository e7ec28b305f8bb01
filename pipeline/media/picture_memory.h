#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "pipeline/media/descriptor.h"

namespace sam3 {

// Memory that two processes share and neither can make smaller, so that the
// other's look at it never fails. UNAVAILABLE when there is none.
absl::StatusOr<Descriptor> MakePictureMemory(size_t size);

// That memory as one of the two sees it, for as long as this object lives.
//
// Threads: one at a time.
class PictureMemory {
 public:
  enum class Access { kRead, kReadAndWrite };

  PictureMemory() = default;
  ~PictureMemory();
  PictureMemory(PictureMemory&& other) noexcept { *this = std::move(other); }
  PictureMemory& operator=(PictureMemory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }

  // UNAVAILABLE when it cannot be mapped.
  static absl::StatusOr<PictureMemory> Map(const Descriptor& memory,
                                           Access access);

  // To be written to after kReadAndWrite alone. Null, and no bytes, in one that
  // was not mapped.
  uint8_t* bytes() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  uint8_t* bytes_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sam3
