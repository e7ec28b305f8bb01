#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pipeline/media/byte_source.h"

namespace sam3 {

// True for an mp4 file whose index ("moov") follows its pictures ("mdat"), as
// most cameras write it: nothing can be decoded before the last byte is there.
// `head` is the beginning of the file. Pure.
bool IndexComesLast(absl::string_view head);

// A whole upload in a temporary file without a name, gone with this object.
class UploadSpool {
 public:
  // Reads until the source ends; blocks. RESOURCE_EXHAUSTED beyond `max_bytes`
  // or when the disk is full, CANCELLED when the source is aborted.
  static absl::StatusOr<std::unique_ptr<UploadSpool>> ReadAll(ByteSource& bytes,
                                                              size_t max_bytes);
  ~UploadSpool();
  UploadSpool(const UploadSpool&) = delete;
  UploadSpool& operator=(const UploadSpool&) = delete;

  // Under which this process can open the file again.
  std::string path() const;

 private:
  explicit UploadSpool(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace sam3
