#include "pipeline/media/video_writer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/ffmpeg.h"

namespace sam3 {
namespace {

class FfmpegWriter final : public VideoWriter {
 public:
  explicit FfmpegWriter(std::string path) : path_(std::move(path)) {}

  absl::Status Open(int width, int height, double frame_rate) {
    av_log_set_level(AV_LOG_QUIET);
    width_ = width;
    height_ = height;
    AVFormatContext* output = nullptr;
    if (avformat_alloc_output_context2(&output, nullptr, "mp4", path_.c_str()) <
        0) {
      return Error("cannot be written as mp4");
    }
    output_.reset(output);
    const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
    if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (encoder == nullptr) return Error("FFmpeg has no encoder for mp4");
    SAM3_RETURN_IF_ERROR(OpenEncoder(encoder, frame_rate));
    const int code = avio_open(&output_->pb, path_.c_str(), AVIO_FLAG_WRITE);
    if (code < 0) return Error(FfmpegError(code));
    if (avformat_write_header(output_.get(), nullptr) < 0) {
      return Error("the header cannot be written");
    }
    return absl::OkStatus();
  }

  absl::Status Write(const Image& image) override {
    if (image.width() != width_ || image.height() != height_) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": a picture of ", image.width(), " x ",
                       image.height(), " among ", width_, " x ", height_));
    }
    if (av_frame_make_writable(frame_.get()) < 0) return Error("no memory");
    const uint8_t* source[] = {image.pixels()};
    const int strides[] = {image.width() * 3};
    sws_scale(scaler_.get(), source, strides, 0, frame_->height, frame_->data,
              frame_->linesize);
    frame_->pts = next_++;
    return Encode(frame_.get());
  }

  absl::Status Finish() override {
    SAM3_RETURN_IF_ERROR(Encode(nullptr));
    if (av_write_trailer(output_.get()) < 0) {
      return Error("the end cannot be written (is the disk full?)");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Error(absl::string_view what) const {
    return absl::UnavailableError(absl::StrCat(path_, ": ", what));
  }

  absl::Status OpenEncoder(const AVCodec* encoder, double frame_rate) {
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->width = width_ & ~1;
    codec_->height = height_ & ~1;
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->framerate = av_d2q(frame_rate, 100'000);
    codec_->time_base = av_inv_q(codec_->framerate);
    codec_->bit_rate = int64_t{4} * codec_->width * codec_->height;
    if ((output_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    if (avcodec_open2(codec_.get(), encoder, nullptr) < 0) {
      return Error(absl::StrCat("the ", encoder->name, " encoder refuses"));
    }
    stream_ = avformat_new_stream(output_.get(), nullptr);
    stream_->time_base = codec_->time_base;
    avcodec_parameters_from_context(stream_->codecpar, codec_.get());
    frame_.reset(av_frame_alloc());
    frame_->format = codec_->pix_fmt;
    frame_->width = codec_->width;
    frame_->height = codec_->height;
    packet_.reset(av_packet_alloc());
    scaler_.reset(sws_getContext(codec_->width, codec_->height,
                                 AV_PIX_FMT_RGB24, codec_->width,
                                 codec_->height, AV_PIX_FMT_YUV420P,
                                 SWS_BILINEAR, nullptr, nullptr, nullptr));
    if (av_frame_get_buffer(frame_.get(), 0) < 0 || scaler_ == nullptr) {
      return Error("no memory");
    }
    return absl::OkStatus();
  }

  absl::Status Encode(const AVFrame* frame) {
    if (avcodec_send_frame(codec_.get(), frame) < 0) {
      return Error("a picture cannot be encoded");
    }
    while (true) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) {
        return absl::OkStatus();
      }
      if (code < 0) return Error(FfmpegError(code));
      // Without it the last picture has no length and players cut it off.
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base,
                           stream_->time_base);
      packet_->stream_index = stream_->index;
      if (av_interleaved_write_frame(output_.get(), packet_.get()) < 0) {
        return Error("cannot be written (is the disk full?)");
      }
    }
  }

  const std::string path_;
  int width_ = 0;
  int height_ = 0;
  UniqueOutput output_;
  UniqueCodec codec_;
  AVStream* stream_ = nullptr;  // owned by the output
  UniqueFrame frame_;
  UniquePacket packet_;
  UniqueScaler scaler_;
  int64_t next_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<VideoWriter>> VideoWriter::Create(
    const std::string& path, int width, int height, double frame_rate) {
  if (width < 2 || height < 2 || !(frame_rate > 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": a video needs at least 2 x 2 pixels and a frame rate"));
  }
  auto writer = std::make_unique<FfmpegWriter>(path);
  SAM3_RETURN_IF_ERROR(writer->Open(width, height, frame_rate));
  return writer;
}

}  // namespace sam3
