#include "pipeline/media/motion_jpeg_decoder.h"

#include <optional>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/media/multipart_reader.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

// Broken pictures at the beginning, until it is clear that these are none.
constexpr int kMaxBrokenFirst = 8;

class MotionJpegDecoder final : public VideoDecoder {
 public:
  MotionJpegDecoder(ByteReader& bytes, absl::string_view boundary,
                    const ImageLimits& limits, HostAllocator& allocator,
                    Clock& clock)
      : bytes_(bytes),
        parts_(bytes, boundary, static_cast<size_t>(limits.max_bytes)),
        limits_(limits),
        allocator_(allocator),
        clock_(clock) {}

  absl::Status Open() {
    SAM3_ASSIGN_OR_RETURN(first_, Decode());
    if (!first_.has_value()) {
      return absl::OutOfRangeError("there is no picture");
    }
    width_ = first_->image.width();
    height_ = first_->image.height();
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    if (first_.has_value()) return std::exchange(first_, std::nullopt);
    return Decode();
  }

  void Interrupt() override { bytes_.Abort(); }
  int width() const override { return width_; }
  int height() const override { return height_; }
  double frame_rate() const override { return 0; }
  int64_t frame_count() const override { return 0; }
  int64_t damaged_parts() const override { return damaged_; }

 private:
  absl::StatusOr<std::optional<VideoPicture>> Decode() {
    while (true) {
      SAM3_ASSIGN_OR_RETURN(const std::optional<std::string> part,
                            parts_.Next());
      if (!part.has_value()) return std::optional<VideoPicture>();
      const absl::Time arrived = clock_.Now();
      absl::StatusOr<Image> image = DecodeImage(*part, limits_, allocator_);
      if (!image.ok()) {
        if (absl::IsResourceExhausted(image.status())) return image.status();
        ++damaged_;
        if (!start_.has_value() && damaged_ >= kMaxBrokenFirst) {
          return SourceFailed(SourceFailure::kCodecUnsupported,
                              image.status().message());
        }
        continue;
      }
      if (!start_.has_value()) start_ = arrived;
      VideoPicture picture;
      picture.size_changed =
          last_width_ != 0 &&
          (image->width() != last_width_ || image->height() != last_height_);
      last_width_ = image->width();
      last_height_ = image->height();
      picture.image = *std::move(image);
      picture.start_offset = arrived - *start_;
      return std::optional<VideoPicture>(std::move(picture));
    }
  }

  ByteReader& bytes_;
  MultipartReader parts_;
  const ImageLimits limits_;
  HostAllocator& allocator_;
  Clock& clock_;
  std::optional<VideoPicture> first_;
  std::optional<absl::Time> start_;
  int width_ = 0;
  int height_ = 0;
  int last_width_ = 0;
  int last_height_ = 0;
  int64_t damaged_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenMotionJpeg(
    ByteReader& bytes, absl::string_view boundary, const ImageLimits& limits,
    HostAllocator& allocator, Clock& clock) {
  auto decoder = std::make_unique<MotionJpegDecoder>(bytes, boundary, limits,
                                                     allocator, clock);
  SAM3_RETURN_IF_ERROR(decoder->Open());
  return decoder;
}

}  // namespace sam3
