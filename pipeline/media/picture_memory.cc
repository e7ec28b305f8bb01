#include "pipeline/media/picture_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "pipeline/media/system_error.h"

namespace sam3 {

absl::StatusOr<Descriptor> MakePictureMemory(size_t size) {
  Descriptor memory(
      ::memfd_create("sam3-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.valid() ||
      ::ftruncate(memory.get(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return SystemError("no memory for pictures", errno);
  }
  return memory;
}

PictureMemory::~PictureMemory() {
  if (bytes_ != nullptr) ::munmap(bytes_, size_);
}

absl::StatusOr<PictureMemory> PictureMemory::Map(const Descriptor& memory,
                                                 Access access) {
  struct stat facts = {};
  if (::fstat(memory.get(), &facts) != 0) {
    return SystemError("there is no memory for pictures", errno);
  }
  const auto size = static_cast<size_t>(facts.st_size);
  const int allowed =
      access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* mapped =
      ::mmap(nullptr, size, allowed, MAP_SHARED, memory.get(), /*offset=*/0);
  if (mapped == MAP_FAILED) {
    return SystemError("the memory for pictures cannot be mapped", errno);
  }
  PictureMemory seen;
  seen.bytes_ = static_cast<uint8_t*>(mapped);
  seen.size_ = size;
  return seen;
}

}  // namespace sam3
