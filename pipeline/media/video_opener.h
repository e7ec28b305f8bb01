#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "inference/image.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/video_decoder.h"

namespace sam3 {

// Opens videos, and decides where their decoders run.
//
// Threads: any, several at once.
class VideoOpener {
 public:
  virtual ~VideoOpener() = default;

  // As those of VideoDecoder; this opener must outlive the decoder too.
  virtual absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenFile(
      const std::string& path, const VideoDecoder::Options& options,
      HostAllocator& allocator) const = 0;
  virtual absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenBytes(
      ByteReader& bytes, const VideoDecoder::Options& options,
      HostAllocator& allocator) const = 0;
};

// Decoders run in this process.
class InProcessVideoOpener final : public VideoOpener {
 public:
  absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenFile(
      const std::string& path, const VideoDecoder::Options& options,
      HostAllocator& allocator) const override {
    return VideoDecoder::OpenFile(path, options, allocator);
  }
  absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenBytes(
      ByteReader& bytes, const VideoDecoder::Options& options,
      HostAllocator& allocator) const override {
    return VideoDecoder::OpenBytes(bytes, options, allocator);
  }
};

}  // namespace sam3
