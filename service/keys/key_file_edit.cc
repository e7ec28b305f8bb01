#include "service/keys/key_file_edit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;

absl::Status SystemError(const std::string& path, absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(
      path, ": ", what, ": ", std::generic_category().message(errno)));
}

// Closes a descriptor, which gives its locks back.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

absl::Status WriteAll(int file, absl::string_view text,
                      const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return SystemError(path, "cannot be written");
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file) != 0) return SystemError(path, "cannot be written");
  return absl::OkStatus();
}

// The server may run as somebody else, who keeps the access that they had.
void KeepAccess(const std::string& path, int file) {
  struct stat old {};
  if (::stat(path.c_str(), &old) != 0) return;
  // Without the right to give files away the mode alone has to do.
  if (::fchown(file, old.st_uid, old.st_gid) != 0) errno = 0;
  ::fchmod(file, old.st_mode & 0777);
}

absl::Status Replace(const std::string& path, const std::string& folder,
                     int folder_file, absl::string_view text) {
  std::string partial = absl::StrCat(folder, "/.keys-XXXXXX");
  const OpenFile file(::mkostemp(partial.data(), O_CLOEXEC));
  if (file.get() < 0) return SystemError(folder, "cannot be written to");
  KeepAccess(path, file.get());
  absl::Status written = WriteAll(file.get(), text, partial);
  if (written.ok() && ::rename(partial.c_str(), path.c_str()) != 0) {
    written = SystemError(path, "cannot be replaced");
  }
  if (!written.ok()) {
    ::unlink(partial.c_str());
    return written;
  }
  ::fsync(folder_file);
  return absl::OkStatus();
}

}  // namespace

absl::Status EditKeyFile(
    const std::string& path,
    const std::function<absl::Status(std::vector<KeyRecord>*)>& change) {
  std::error_code error;
  // Behind a link, the file and not the link is replaced.
  const fs::path target = fs::weakly_canonical(path, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
  }
  const std::string folder = target.parent_path().string();
  const OpenFile lock(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) return SystemError(folder, "cannot be opened");
  if (::flock(lock.get(), LOCK_EX) != 0) {
    return SystemError(folder, "cannot be locked");
  }
  std::vector<KeyRecord> keys;
  if (fs::exists(target, error)) {
    SAM3_ASSIGN_OR_RETURN(keys, ReadKeyFile(target.string()));
  }
  SAM3_RETURN_IF_ERROR(change(&keys));
  const std::string text = FormatKeyFile(keys);
  // What the server would refuse is not written.
  SAM3_RETURN_IF_ERROR(ParseKeyFile(text).status());
  return Replace(target.string(), folder, lock.get(), text);
}

}  // namespace sam3
