#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/image.h"

namespace sam3 {

// Writes pictures of one size as an .mp4: H.264 where the system's FFmpeg has
// an encoder for it, MPEG-4 part 2 otherwise.
//
// One thread at a time; blocks. Odd sides lose their last row or column, since
// both codecs want even ones. Errors name the file.
class VideoWriter {
 public:
  static absl::StatusOr<std::unique_ptr<VideoWriter>> Create(
      const std::string& path, int width, int height, double frame_rate);
  // Closes the file if Finish() was not called; then it may be damaged.
  virtual ~VideoWriter() = default;

  // INVALID_ARGUMENT for a picture of another size.
  virtual absl::Status Write(const Image& image) = 0;
  virtual absl::Status Finish() = 0;
};

}  // namespace sam3
