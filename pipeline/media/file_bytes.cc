#include "pipeline/media/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace sam3 {

absl::StatusOr<std::unique_ptr<FileBytes>> FileBytes::Open(
    const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  }
  return std::make_unique<FileBytes>(std::move(file));
}

FileBytes::FileBytes(Descriptor file) : file_(std::move(file)) {
  struct stat facts = {};
  if (::fstat(file_.get(), &facts) == 0 && S_ISREG(facts.st_mode)) {
    size_ = facts.st_size;
  }
}

int64_t FileBytes::Read(uint8_t* buffer, size_t size) {
  while (true) {
    const ssize_t count = ::read(file_.get(), buffer, size);
    if (count >= 0 || errno != EINTR) return count;
  }
}

bool FileBytes::Seek(int64_t offset) {
  return ::lseek(file_.get(), offset, SEEK_SET) == offset;
}

}  // namespace sam3
