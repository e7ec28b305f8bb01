#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/base/clock.h"
#include "inference/image.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/media/live_limits.h"
#include "pipeline/media/url_gate.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/media/video_opener.h"
#include "pipeline/metrics.h"
#include "pipeline/request_context.h"
#include "pipeline/source_url.h"

namespace sam3 {

// One connection to a camera, as its pictures. Used by one thread.
class LiveConnection {
 public:
  virtual ~LiveConnection() = default;

  // The next picture; nothing when the source told that it has no more. Blocks
  // within the limits, and for a few milliseconds when the context was
  // cancelled. Errors: classes of source_failure.h, RESOURCE_EXHAUSTED for a
  // picture that is too large, the context's status.
  virtual absl::StatusOr<std::optional<VideoPicture>> Next() = 0;

  // As announced; 0 when it is not.
  virtual double frame_rate() const = 0;
  // What could not be decoded so far, see VideoDecoder; of all parts of a
  // source that comes in several.
  virtual int64_t damaged_parts() const = 0;
};

// Opens what a client's URL names, without becoming the client's way into the
// operator's network: every socket goes through the gate, and FFmpeg, which
// demultiplexes and decodes, opens none. Over http(s) that is a multipart body
// of pictures, a video, or an HLS playlist; a live one is played at the speed
// that it was recorded at.
//
// Threads: any, several at once.
class LiveSource {
 public:
  virtual ~LiveSource() = default;

  // What can be said of the URL without looking at the network.
  // PERMISSION_DENIED (SOURCE_NOT_ALLOWED).
  virtual absl::Status Check(const SourceUrl& url) const = 0;

  // Blocks until the first picture was decoded, within the limits.
  // `on_stall` is called from within the connection's calls each time that the
  // source falls silent. What is borrowed, and this source, must outlive the
  // connection. Errors: those of Check(), also for a redirect or an address,
  // and of Next(). Messages hold the redacted URL and no address.
  virtual absl::StatusOr<std::unique_ptr<LiveConnection>> Connect(
      const SourceUrl& url, const ImageLimits& limits, HostAllocator& allocator,
      const RequestContext& context,
      const std::function<void()>& on_stall) const = 0;
};

// What is borrowed must outlive the source.
std::unique_ptr<LiveSource> MakeLiveSource(LiveLimits limits, UrlGate gate,
                                           const HostResolver& resolver,
                                           const VideoOpener& videos,
                                           Clock& clock,
                                           PipelineMetrics& metrics);

}  // namespace sam3
