#include "pipeline/media/live_source.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/decoded_connection.h"
#include "pipeline/media/hls_input.h"
#include "pipeline/media/http_input.h"
#include "pipeline/media/live_access.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/motion_jpeg_decoder.h"
#include "pipeline/media/multipart_reader.h"
#include "pipeline/media/rtsp_input.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

void CountRefusal(const absl::Status& status, PipelineMetrics& metrics) {
  const auto refused = UrlFailureOf(status);
  if (refused.has_value() && IsRefusal(*refused)) {
    metrics.url_failures[static_cast<size_t>(*refused)].Add();
  }
}

// Counts what the gate refuses to a connection that is open already.
class CountedConnection final : public LiveConnection {
 public:
  CountedConnection(std::unique_ptr<LiveConnection> connection,
                    PipelineMetrics& metrics)
      : connection_(std::move(connection)), metrics_(metrics) {}

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    absl::StatusOr<std::optional<VideoPicture>> picture = connection_->Next();
    if (!picture.ok()) CountRefusal(picture.status(), metrics_);
    return picture;
  }
  double frame_rate() const override { return connection_->frame_rate(); }
  int64_t damaged_parts() const override {
    return connection_->damaged_parts();
  }

 private:
  const std::unique_ptr<LiveConnection> connection_;
  PipelineMetrics& metrics_;
};

class GatedLiveSource final : public LiveSource {
 public:
  GatedLiveSource(LiveLimits limits, UrlGate gate, const HostResolver& resolver,
                  const VideoOpener& videos, Clock& clock,
                  PipelineMetrics& metrics)
      : limits_(std::move(limits)),
        gate_(std::move(gate)),
        resolver_(resolver),
        videos_(videos),
        clock_(clock),
        metrics_(metrics) {}

  absl::Status Check(const SourceUrl& url) const override {
    return Told(url, gate_.CheckLive(url.text()).status());
  }

  absl::StatusOr<std::unique_ptr<LiveConnection>> Connect(
      const SourceUrl& url, const ImageLimits& limits, HostAllocator& allocator,
      const RequestContext& context,
      const std::function<void()>& on_stall) const override {
    auto connection = Open(url, limits, allocator, context, on_stall);
    if (!connection.ok()) return Told(url, connection.status());
    return connection;
  }

 private:
  absl::StatusOr<std::unique_ptr<LiveConnection>> Open(
      const SourceUrl& url, const ImageLimits& limits, HostAllocator& allocator,
      const RequestContext& context,
      const std::function<void()>& on_stall) const {
    SAM3_ASSIGN_OR_RETURN(const CheckedUrl checked,
                          gate_.CheckLive(url.text()));
    DecodedConnectionOptions options;
    options.picture_timeout = limits_.picture_timeout;
    SAM3_ASSIGN_OR_RETURN(
        std::unique_ptr<LiveInput> input,
        OpenInput(checked, limits, allocator,
                  {gate_, resolver_, limits_, context, clock_, on_stall},
                  &options));
    SAM3_ASSIGN_OR_RETURN(
        std::unique_ptr<LiveConnection> connection,
        OpenDecodedConnection(std::move(input), std::move(options), context,
                              clock_));
    return std::make_unique<CountedConnection>(std::move(connection), metrics_);
  }

  // Says in `options` how the input is to be decoded.
  absl::StatusOr<std::unique_ptr<LiveInput>> OpenInput(
      const CheckedUrl& url, const ImageLimits& limits,
      HostAllocator& allocator, const LiveAccess& access,
      DecodedConnectionOptions* options) const {
    using Feed = VideoDecoder::Options::Feed;
    const auto decode = [&](ByteReader& bytes, Feed feed) {
      options->open_decoder = [this, &bytes, feed, limits, &allocator] {
        return videos_.OpenBytes(bytes, {.limits = limits, .feed = feed},
                                 allocator);
      };
    };
    const absl::Time deadline = clock_.Now() + limits_.open_timeout;
    if (url.rtsp()) {
      SAM3_ASSIGN_OR_RETURN(std::unique_ptr<LiveInput> input,
                            OpenRtsp(url, access, deadline));
      decode(*input, Feed::kRtp);
      options->endless = true;
      return input;
    }
    SAM3_ASSIGN_OR_RETURN(std::unique_ptr<HttpInput> input,
                          HttpInput::Open(url, std::nullopt, access, deadline));
    const auto boundary = MultipartBoundary(input->content_type());
    if (boundary.has_value()) {
      options->open_decoder = [this, &bytes = *input, boundary, limits,
                               &allocator] {
        return OpenMotionJpeg(bytes, *boundary, limits, allocator, clock_);
      };
      options->endless = true;
      return input;
    }
    if (!IsHlsPlaylist(*input)) {
      decode(*input, Feed::kLive);
      return input;
    }
    SAM3_ASSIGN_OR_RETURN(
        std::unique_ptr<HlsInput> segments,
        HlsInput::Open(std::move(input), limits, access, deadline));
    decode(*segments, Feed::kLive);
    options->paced = segments->live();
    return segments;
  }

  // Counts a refusal, and says which URL it is about.
  absl::Status Told(const SourceUrl& url, const absl::Status& status) const {
    if (status.ok() || absl::IsCancelled(status)) return status;
    CountRefusal(status, metrics_);
    absl::Status told(status.code(),
                      absl::StrCat(url.redacted(), ": ", status.message()));
    status.ForEachPayload(
        [&told](absl::string_view type, const absl::Cord& payload) {
          told.SetPayload(type, payload);
        });
    return told;
  }

  const LiveLimits limits_;
  const UrlGate gate_;
  const HostResolver& resolver_;
  const VideoOpener& videos_;
  Clock& clock_;
  PipelineMetrics& metrics_;
};

}  // namespace

std::unique_ptr<LiveSource> MakeLiveSource(LiveLimits limits, UrlGate gate,
                                           const HostResolver& resolver,
                                           const VideoOpener& videos,
                                           Clock& clock,
                                           PipelineMetrics& metrics) {
  return std::make_unique<GatedLiveSource>(std::move(limits), std::move(gate),
                                           resolver, videos, clock, metrics);
}

}  // namespace sam3
