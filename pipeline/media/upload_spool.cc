#include "pipeline/media/upload_spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kBoxHeaderBytes = 8;

uint32_t BigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  }
  return value;
}

absl::Status NoRoom(absl::string_view what) {
  return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                        "a video whose index comes last has to be stored "
                        "before it can be decoded, and ",
                        what)),
                    reason::kMediaTooLarge);
}

}  // namespace

bool IndexComesLast(absl::string_view head) {
  if (head.size() < kBoxHeaderBytes || head.substr(4, 4) != "ftyp") {
    return false;
  }
  while (head.size() >= kBoxHeaderBytes) {
    const absl::string_view type = head.substr(4, 4);
    if (type == "mdat") return true;
    if (type == "moov" || type == "moof") return false;
    const uint32_t size = BigEndian(head);
    if (size < kBoxHeaderBytes || size >= head.size()) return false;
    head.remove_prefix(size);
  }
  return false;
}

absl::StatusOr<std::unique_ptr<UploadSpool>> UploadSpool::ReadAll(
    ByteSource& bytes, size_t max_bytes) {
  std::error_code error;
  const std::string folder =
      std::filesystem::temp_directory_path(error).string();
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    return NoRoom(absl::StrCat("no temporary file can be made: ",
                               std::generic_category().message(errno)));
  }
  std::unique_ptr<UploadSpool> spool(new UploadSpool(fd));
  std::vector<uint8_t> block(kBlockBytes);
  size_t total = 0;
  while (true) {
    const int64_t count = bytes.Read(block.data(), block.size());
    if (count < 0) return absl::CancelledError("interrupted");
    if (count == 0) return spool;
    total += static_cast<size_t>(count);
    if (total > max_bytes) {
      return NoRoom(absl::StrCat("it has more than ", max_bytes, " bytes"));
    }
    for (int64_t written = 0; written < count;) {
      const ssize_t step = ::write(fd, block.data() + written,
                                   static_cast<size_t>(count - written));
      if (step < 0 && errno == EINTR) continue;
      if (step <= 0) return NoRoom("the disk is full");
      written += step;
    }
  }
}

UploadSpool::~UploadSpool() { ::close(fd_); }

std::string UploadSpool::path() const {
  return absl::StrCat("/proc/self/fd/", fd_);
}

}  // namespace sam3
