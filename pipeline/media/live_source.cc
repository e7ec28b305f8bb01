#include "pipeline/media/live_source.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/http_input.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/motion_jpeg_decoder.h"
#include "pipeline/media/multipart_reader.h"
#include "pipeline/media/rtsp_input.h"
#include "pipeline/media/url_failure.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

// An input and the decoder that reads it.
class DecodedConnection final : public LiveConnection {
 public:
  DecodedConnection(std::unique_ptr<LiveInput> input,
                    std::unique_ptr<VideoDecoder> decoder, bool endless,
                    absl::Duration picture_timeout, Clock& clock)
      : input_(std::move(input)),
        decoder_(std::move(decoder)),
        endless_(endless),
        picture_timeout_(picture_timeout),
        clock_(clock) {}

  // Once, before anything else.
  absl::Status ReadFirst() {
    SAM3_ASSIGN_OR_RETURN(first_, Next());
    if (first_.has_value()) return absl::OkStatus();
    return SourceFailed(SourceFailure::kCodecUnsupported,
                        "the video has no picture that can be decoded");
  }

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    if (first_.has_value()) return std::exchange(first_, std::nullopt);
    input_->SetDeadline(clock_.Now() + picture_timeout_);
    absl::StatusOr<std::optional<VideoPicture>> picture = decoder_->Next();
    if (!picture.ok() || picture->has_value()) return picture;
    SAM3_RETURN_IF_ERROR(input_->status());
    if (endless_) {
      return SourceFailed(SourceFailure::kConnection, "the source hung up");
    }
    return picture;
  }

  double frame_rate() const override { return decoder_->frame_rate(); }

 private:
  const std::unique_ptr<LiveInput> input_;
  const std::unique_ptr<VideoDecoder> decoder_;
  std::optional<VideoPicture> first_;
  // Whether an end is the source's failure.
  const bool endless_;
  const absl::Duration picture_timeout_;
  Clock& clock_;
};

class GatedLiveSource final : public LiveSource {
 public:
  GatedLiveSource(LiveLimits limits, UrlGate gate, const HostResolver& resolver,
                  Clock& clock, PipelineMetrics& metrics)
      : limits_(std::move(limits)),
        gate_(std::move(gate)),
        resolver_(resolver),
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
    const absl::Time deadline = clock_.Now() + limits_.open_timeout;
    SAM3_ASSIGN_OR_RETURN(const CheckedUrl checked,
                          gate_.CheckLive(url.text()));
    VideoDecoder::Options options{.limits = limits};
    if (checked.rtsp()) {
      SAM3_ASSIGN_OR_RETURN(std::unique_ptr<LiveInput> input,
                            OpenRtsp(checked, gate_, resolver_, limits_,
                                     deadline, context, clock_, on_stall));
      options.feed = VideoDecoder::Options::Feed::kRtp;
      input->SetDeadline(clock_.Now() + limits_.picture_timeout);
      auto decoder = VideoDecoder::OpenBytes(*input, options, allocator);
      return Decoded(std::move(input), std::move(decoder), /*endless=*/true);
    }
    SAM3_ASSIGN_OR_RETURN(std::unique_ptr<HttpInput> input,
                          HttpInput::Open(checked, gate_, resolver_, limits_,
                                          deadline, context, clock_, on_stall));
    options.feed = VideoDecoder::Options::Feed::kLive;
    input->SetDeadline(clock_.Now() + limits_.picture_timeout);
    const auto boundary = MultipartBoundary(input->content_type());
    absl::StatusOr<std::unique_ptr<VideoDecoder>> decoder =
        boundary.has_value()
            ? OpenMotionJpeg(*input, *boundary, limits, allocator, clock_)
            : VideoDecoder::OpenBytes(*input, options, allocator);
    return Decoded(std::move(input), std::move(decoder), boundary.has_value());
  }

  absl::StatusOr<std::unique_ptr<LiveConnection>> Decoded(
      std::unique_ptr<LiveInput> input,
      absl::StatusOr<std::unique_ptr<VideoDecoder>> decoder,
      bool endless) const {
    if (!decoder.ok()) {
      // Without bytes nobody can decode; the cause comes first.
      SAM3_RETURN_IF_ERROR(input->status());
      if (absl::IsOutOfRange(decoder.status())) {
        return SourceFailed(SourceFailure::kConnection,
                            decoder.status().message());
      }
      return decoder.status();
    }
    auto connection = std::make_unique<DecodedConnection>(
        std::move(input), *std::move(decoder), endless, limits_.picture_timeout,
        clock_);
    SAM3_RETURN_IF_ERROR(connection->ReadFirst());
    return connection;
  }

  // Counts a refusal, and says which URL it is about.
  absl::Status Told(const SourceUrl& url, const absl::Status& status) const {
    if (status.ok() || absl::IsCancelled(status)) return status;
    const auto refused = UrlFailureOf(status);
    if (refused.has_value() && IsRefusal(*refused)) {
      metrics_.url_failures[static_cast<size_t>(*refused)].Add();
    }
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
  Clock& clock_;
  PipelineMetrics& metrics_;
};

}  // namespace

std::unique_ptr<LiveSource> MakeLiveSource(LiveLimits limits, UrlGate gate,
                                           const HostResolver& resolver,
                                           Clock& clock,
                                           PipelineMetrics& metrics) {
  return std::make_unique<GatedLiveSource>(std::move(limits), std::move(gate),
                                           resolver, clock, metrics);
}

}  // namespace sam3
