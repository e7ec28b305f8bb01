#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/image.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/decoder_messages.h"
#include "pipeline/media/descriptor.h"
#include "pipeline/media/picture_memory.h"
#include "pipeline/media/video_decoder.h"

namespace sam3 {

// The server's side of a process that decodes one video.
struct DecoderPeer {
  Descriptor socket;    // see DecoderMessage
  Descriptor process;   // a pidfd; not valid where no process is to be ended
  Descriptor pictures;  // memory for one picture, which cannot be made smaller
};

// A decoder that runs in a process of its own, which has nothing but the bytes
// that it is given (see ConfineThisProcess): a video that crashes it, or makes
// it turn against its host, costs its own stream and no other. What the process
// says is checked; one that has gone, says nonsense, or is silent for ten
// seconds is ended, and so is the video: INVALID_ARGUMENT (MEDIA_UNDECODABLE),
// a codec's failure to whoever reads a camera.
//
// Threads and errors as VideoDecoder. The bytes are read by whoever calls.
class ConfinedDecoder final : public VideoDecoder {
 public:
  // `bytes` is null where the process has the file. Blocks; see
  // VideoDecoder::OpenBytes().
  static absl::StatusOr<std::unique_ptr<ConfinedDecoder>> Open(
      DecoderPeer peer, ByteReader* bytes, const Options& options,
      HostAllocator& allocator);
  ~ConfinedDecoder() override;

  absl::StatusOr<std::optional<VideoPicture>> Next() override;
  void Interrupt() override;

  int width() const override { return opened_.width; }
  int height() const override { return opened_.height; }
  double frame_rate() const override { return opened_.frame_rate; }
  int64_t frame_count() const override { return opened_.count; }
  int64_t damaged_parts() const override { return damaged_; }

 private:
  ConfinedDecoder(DecoderPeer peer, ByteReader* bytes, const Options& options,
                  HostAllocator& allocator)
      : peer_(std::move(peer)),
        bytes_(bytes),
        options_(options),
        allocator_(allocator) {}

  absl::Status Start();
  // Sends `request` and serves the process's reads until it answers.
  absl::StatusOr<DecoderMessage> Ask(const DecoderMessage& request);
  absl::Status Await();
  bool GiveBytes(int64_t wanted);
  absl::StatusOr<VideoPicture> TakePicture(const DecoderMessage& message);
  // What the process said went wrong.
  absl::Status Failed(const DecoderMessage& message) const;
  // It is of no more use.
  absl::Status Lost(absl::string_view what);

  const DecoderPeer peer_;
  ByteReader* const bytes_;
  const Options options_;
  HostAllocator& allocator_;
  PictureMemory pixels_;
  std::atomic<bool> interrupted_{false};
  // Why there will be no more pictures.
  absl::Status lost_;
  DecoderMessage opened_;
  int64_t damaged_ = 0;
  std::string tail_;
};

}  // namespace sam3
