#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "inference/image.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/media/video_opener.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"

namespace sam3 {

// A frame as it comes out of a source.
struct DecodedFrame {
  Image image;
  absl::Duration start_offset;
  absl::Duration decode;  // 0 where it cannot be told from waiting
  // There may be a gap before it.
  bool discontinuity = false;
};

// Where a VideoReader puts what it reads. Called from the reader's thread only.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // First call, unless the source cannot be opened.
  virtual void SourceOpened(const SourceFacts& facts) = 0;
  // Blocks while there is no room; false when the stream has ended.
  virtual bool Publish(DecodedFrame frame) = 0;
  // The event's frame is the next one.
  virtual void ReportSource(SourceEvent event) = 0;
  // Last call: OK at a clean end, otherwise why the source ended early.
  virtual void SourceEnded(absl::Status status) = 0;
};

// A thread that decodes one video, from a file or from bytes that are pushed,
// and publishes its frames in order.
//
// Threads: created and destroyed by one thread; PushBytes, CloseBytes and Stop
// from any. Only the destructor blocks: it stops the source and joins.
class VideoReader {
 public:
  virtual ~VideoReader() = default;

  // Once, before anything else.
  virtual void Start() = 0;

  // For pushed bytes. True while more would be taken without growing a buffer
  // beyond its bound.
  virtual bool WantsBytes() const = 0;
  virtual void PushBytes(std::string bytes) = 0;
  virtual void CloseBytes() = 0;

  // Makes the thread end soon, whatever it waits for.
  virtual void Stop() = 0;
};

// A reader of `path`, or of pushed bytes when it is empty. Everything borrowed
// must outlive it. `wants_bytes` is called, from the reader's thread, when
// WantsBytes() turns true.
std::unique_ptr<VideoReader> MakeVideoReader(const std::string& path,
                                             const ImageLimits& limits,
                                             const VideoOpener& videos,
                                             HostAllocator& allocator,
                                             Clock& clock, FrameSink& sink,
                                             std::function<void()> wants_bytes);

}  // namespace sam3
