#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/media/confined_decoder.h"
#include "pipeline/media/descriptor.h"
#include "pipeline/media/video_opener.h"

namespace sam3 {

// Opens videos in processes of their own (ConfinedDecoder).
//
// They are forked by one that was itself forked before this program had
// threads, sockets, keys or a model: so forking is safe and takes a
// millisecond, a new process has nothing that is not its business, and it
// shares the program's memory until it writes. That process does nothing else,
// ends with this object or program, and takes all decoders along. Where cores
// are short, decoders yield to the program.
class DecoderZygote final : public VideoOpener {
 public:
  // To be called before there are threads. UNAVAILABLE, with the cause, where
  // processes cannot be confined as they are to be.
  static absl::StatusOr<std::unique_ptr<DecoderZygote>> Start();
  // Blocks for a moment.
  ~DecoderZygote() override;

  // As in VideoOpener, and UNAVAILABLE when no process is to be had.
  absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenFile(
      const std::string& path, const VideoDecoder::Options& options,
      HostAllocator& allocator) const override;
  absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenBytes(
      ByteReader& bytes, const VideoDecoder::Options& options,
      HostAllocator& allocator) const override;

  // UNAVAILABLE once the process that forks has gone, and for good. Never
  // blocks; any thread.
  absl::Status Health() const;

  pid_t pid() const { return pid_; }

 private:
  DecoderZygote(pid_t pid, Descriptor socket)
      : pid_(pid), socket_(std::move(socket)) {}

  // A process that decodes `file`, or what it asks for.
  absl::StatusOr<DecoderPeer> Fork(const ImageLimits& limits,
                                   const Descriptor* file) const;

  const pid_t pid_;
  // One request at a time.
  mutable absl::Mutex mutex_;
  const Descriptor socket_;
};

}  // namespace sam3
