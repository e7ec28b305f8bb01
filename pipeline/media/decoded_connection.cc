#include "pipeline/media/decoded_connection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/media/picture_pacer.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

class DecodedConnection final : public LiveConnection {
 public:
  DecodedConnection(std::unique_ptr<LiveInput> input,
                    DecodedConnectionOptions options,
                    const RequestContext& context, Clock& clock)
      : input_(std::move(input)),
        options_(std::move(options)),
        context_(context),
        clock_(clock) {}

  // Once, before anything else.
  absl::Status ReadFirst() {
    SAM3_RETURN_IF_ERROR(OpenDecoder());
    SAM3_ASSIGN_OR_RETURN(first_, Decode());
    if (first_.has_value()) return absl::OkStatus();
    return SourceFailed(SourceFailure::kCodecUnsupported,
                        "the video has no picture that can be decoded");
  }

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    std::optional<VideoPicture> picture = std::exchange(first_, std::nullopt);
    if (!picture.has_value()) {
      SAM3_ASSIGN_OR_RETURN(picture, Decode());
    }
    if (!picture.has_value() || !options_.paced) return picture;
    const absl::Time due =
        pacer_.Due(picture->start_offset, picture->discontinuity, clock_.Now());
    SAM3_RETURN_IF_ERROR(SleepUntil(due, context_, clock_));
    return picture;
  }

  double frame_rate() const override { return decoder_->frame_rate(); }
  int64_t damaged_parts() const override {
    return damaged_before_ + decoder_->damaged_parts();
  }

 private:
  // For the input's first part, or for its next one.
  absl::Status OpenDecoder() {
    input_->SetDeadline(clock_.Now() + options_.picture_timeout);
    auto decoder = options_.open_decoder();
    if (decoder.ok()) {
      if (decoder_ != nullptr) damaged_before_ += decoder_->damaged_parts();
      decoder_ = *std::move(decoder);
      return absl::OkStatus();
    }
    // Known, whatever became of the input meanwhile.
    if (absl::IsResourceExhausted(decoder.status())) return decoder.status();
    // Without bytes nobody can decode; the cause comes first.
    SAM3_RETURN_IF_ERROR(input_->status());
    if (absl::IsOutOfRange(decoder.status())) {
      return SourceFailed(SourceFailure::kConnection,
                          decoder.status().message());
    }
    return decoder.status();
  }

  absl::StatusOr<std::optional<VideoPicture>> Decode() {
    bool begins = false;
    while (true) {
      input_->SetDeadline(clock_.Now() + options_.picture_timeout);
      SAM3_ASSIGN_OR_RETURN(std::optional<VideoPicture> picture,
                            decoder_->Next());
      if (picture.has_value()) {
        picture->discontinuity = begins;
        NotePlace(*picture);
        return picture;
      }
      SAM3_RETURN_IF_ERROR(input_->status());
      if (!input_->NextPart()) break;
      SAM3_RETURN_IF_ERROR(OpenDecoder());
      begins = true;
    }
    if (options_.endless) {
      return SourceFailed(SourceFailure::kConnection, "the source hung up");
    }
    return std::optional<VideoPicture>();
  }

  // Tells the input how far apart pictures are: the shorter of the last two
  // steps, since one alone may have been a stall.
  void NotePlace(const VideoPicture& picture) {
    const absl::Duration step = picture.discontinuity || !last_offset_
                                    ? absl::ZeroDuration()
                                    : picture.start_offset - *last_offset_;
    input_->SetPictureInterval(std::min(step, last_step_));
    last_offset_ = picture.start_offset;
    last_step_ = step;
  }

  const std::unique_ptr<LiveInput> input_;
  const DecodedConnectionOptions options_;
  const RequestContext& context_;
  Clock& clock_;
  // Destroyed before the input, which it reads.
  std::unique_ptr<VideoDecoder> decoder_;
  int64_t damaged_before_ = 0;  // by the decoders of earlier parts
  PicturePacer pacer_;
  std::optional<VideoPicture> first_;
  std::optional<absl::Duration> last_offset_;
  absl::Duration last_step_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LiveConnection>> OpenDecodedConnection(
    std::unique_ptr<LiveInput> input, DecodedConnectionOptions options,
    const RequestContext& context, Clock& clock) {
  auto connection = std::make_unique<DecodedConnection>(
      std::move(input), std::move(options), context, clock);
  SAM3_RETURN_IF_ERROR(connection->ReadFirst());
  return connection;
}

}  // namespace sam3
