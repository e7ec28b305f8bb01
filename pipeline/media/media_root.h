#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// An open regular file; closed with this object. Any thread.
class MediaFile {
 public:
  explicit MediaFile(int fd) : fd_(fd) {}
  ~MediaFile();
  MediaFile(const MediaFile&) = delete;
  MediaFile& operator=(const MediaFile&) = delete;

  // Under which this process can open the file again, whatever has become of
  // its name.
  std::string path() const;

  // Everything from the beginning; blocks. RESOURCE_EXHAUSTED (MEDIA_TOO_LARGE)
  // beyond `max_bytes`, FAILED_PRECONDITION (MEDIA_UNREACHABLE) when the disk
  // fails.
  absl::StatusOr<std::string> ReadAll(size_t max_bytes) const;

 private:
  const int fd_;
};

// The folder whose files clients may name. The kernel resolves a name and
// refuses everything that leads out of the folder, at the moment of opening:
// "..", absolute paths, and links of any kind on the way.
//
// Threads: any. Opening does not wait for what is no file, such as a pipe.
class MediaRoot {
 public:
  // Empty when clients may name none.
  explicit MediaRoot(std::string folder) : folder_(std::move(folder)) {}

  // PERMISSION_DENIED (SOURCE_NOT_ALLOWED) without a folder; INVALID_ARGUMENT
  // when `name` is not the relative path of a regular file below it.
  absl::StatusOr<std::unique_ptr<MediaFile>> Open(absl::string_view name) const;

 private:
  const std::string folder_;
};

}  // namespace sam3
