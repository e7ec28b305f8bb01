#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/image.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {

// One picture of a video: RGB, upright (the rotation that the file asks for is
// applied).
struct VideoPicture {
  Image image;
  // Time of presentation since the first picture.
  absl::Duration start_offset;
  // The size differs from the picture before.
  bool size_changed = false;
  // Of a live source: does not go on from the picture before, and its offset
  // begins anew.
  bool discontinuity = false;
};

// Decodes the first video track of a file or of pushed bytes, in order of
// presentation. Any container and codec that the system's FFmpeg reads.
//
// Colours: the file's own matrix and range where it says them; otherwise
// BT.709 from 720 lines up and BT.601 below, limited range.
//
// Threads: one at a time; Interrupt() from any. Open and Next block.
class VideoDecoder {
 public:
  struct Options {
    // Pixels and sides of a picture; bytes do not count.
    ImageLimits limits;
    // Codec threads. 1 keeps many streams from fighting over cores.
    int threads = 1;
    // What comes from a live source is held to fewer containers and codecs and
    // must show itself within a second of video.
    enum class Feed {
      kFile,
      kLive,
      // A session description (SDP), the end, and then one RTP packet a Read().
      kRtp,
    };
    Feed feed = Feed::kFile;
  };

  // INVALID_ARGUMENT (MEDIA_UNDECODABLE) when it is no video, NOT_FOUND when
  // the file is not there, RESOURCE_EXHAUSTED beyond a limit. `allocator` and
  // `bytes` must outlive the decoder.
  static absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenFile(
      const std::string& path, const Options& options,
      HostAllocator& allocator);
  static absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenBytes(
      ByteReader& bytes, const Options& options, HostAllocator& allocator);

  virtual ~VideoDecoder() = default;

  // The next picture, or nothing at the end. Damaged parts are skipped and
  // counted; CANCELLED after Interrupt().
  virtual absl::StatusOr<std::optional<VideoPicture>> Next() = 0;

  // Makes whatever blocks return soon.
  virtual void Interrupt() = 0;

  // Of the upright picture, as the file announces it; 0 where the file does
  // not say.
  virtual int width() const = 0;
  virtual int height() const = 0;
  virtual double frame_rate() const = 0;
  virtual int64_t frame_count() const = 0;
  // What could not be decoded so far: packets that gave nothing, and pictures
  // that were mended from what was left of them.
  virtual int64_t damaged_parts() const = 0;
};

// The version of the FFmpeg libraries in this process.
std::string FfmpegVersion();

}  // namespace sam3
