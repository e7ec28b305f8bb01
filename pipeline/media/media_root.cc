#include "pipeline/media/media_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"

namespace sam3 {
namespace {

constexpr size_t kReadBytes = 256 << 10;

// The C library has no wrapper for it.
int OpenBeneath(int folder, const std::string& name) {
  open_how how = {};
  // A pipe without a writer must not keep its reader waiting.
  how.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(
      ::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof(how)));
}

}  // namespace

MediaFile::~MediaFile() { ::close(fd_); }

std::string MediaFile::path() const {
  return absl::StrCat("/proc/self/fd/", fd_);
}

absl::StatusOr<std::string> MediaFile::ReadAll(size_t max_bytes) const {
  std::string bytes;
  while (true) {
    const size_t begin = bytes.size();
    bytes.resize(begin + kReadBytes);
    const ssize_t count = ::pread(fd_, bytes.data() + begin, kReadBytes,
                                  static_cast<off_t>(begin));
    if (count < 0 && errno != EINTR) {
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            "the file cannot be read: ",
                            std::generic_category().message(errno))),
                        reason::kMediaUnreachable);
    }
    bytes.resize(begin + (count > 0 ? static_cast<size_t>(count) : 0));
    if (bytes.size() > max_bytes) {
      return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                            "the file has more than ", max_bytes, " bytes")),
                        reason::kMediaTooLarge);
    }
    if (count == 0) return bytes;
  }
}

absl::StatusOr<std::unique_ptr<MediaFile>> MediaRoot::Open(
    absl::string_view name) const {
  if (folder_.empty()) {
    return WithReason(absl::PermissionDeniedError(
                          "this server has no media root; push the bytes"),
                      reason::kSourceNotAllowed);
  }
  const absl::Status refused = WithReason(
      absl::InvalidArgumentError(
          "must be the relative path of a file under the media root, without "
          "symbolic links"),
      reason::kInvalidRequest);
  if (name.find('\0') != absl::string_view::npos) return refused;
  const int folder = ::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return refused;
  const int fd = OpenBeneath(folder, std::string(name));
  ::close(folder);
  if (fd < 0) return refused;
  auto file = std::make_unique<MediaFile>(fd);
  struct stat facts = {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) return refused;
  return file;
}

}  // namespace sam3
