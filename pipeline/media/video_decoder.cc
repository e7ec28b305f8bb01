#include "pipeline/media/video_decoder.h"

#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/ffmpeg.h"
#include "pipeline/media/file_bytes.h"

namespace sam3 {
namespace {

// Twice the largest RTP packet.
constexpr int kIoBufferBytes = 128 << 10;
constexpr int kMaxPacketBytes = 64 << 10;
// What a live source may consist of; the containers and codecs of cameras, of
// broadcasts and of the web.
constexpr char kLiveFormats[] =
    "mpegts,mov,matroska,webm,flv,h264,hevc,mjpeg,mpeg,ivf";
constexpr char kLiveCodecs[] =
    "h264,hevc,mjpeg,vp8,vp9,av1,libdav1d,mpeg4,mpeg2video,aac,mp3";
constexpr char kLiveProbeBytes[] = "1000000";
constexpr char kLiveProbeMicroseconds[] = "1000000";
constexpr int kMaxLiveTracks = 8;
// From this height on video without a colour tag is taken for BT.709.
constexpr int kHdLines = 720;

absl::Status Undecodable(absl::string_view what) {
  return WithReason(absl::InvalidArgumentError(what),
                    reason::kMediaUndecodable);
}

// The receiver reports that FFmpeg writes where it reads RTP go nowhere.
int IgnoreReport(void* /*opaque*/, uint8_t* /*buffer*/, int size) {
  return size;
}

// EXIF's number for the turn that a track's display matrix asks for.
int OrientationOf(const AVStream& stream) {
  const int32_t* matrix = DisplayMatrix(stream);
  if (matrix == nullptr) return 1;
  const double counterclockwise = av_display_rotation_get(matrix);
  if (std::isnan(counterclockwise)) return 1;
  const int quarter_turns =
      static_cast<int>(std::lround(-counterclockwise / 90.0)) & 3;
  constexpr int kOrientations[] = {1, 6, 3, 8};
  return kOrientations[quarter_turns];
}

class FfmpegDecoder final : public VideoDecoder {
 public:
  // `owned` is what the bytes are read from, where nobody else keeps it.
  FfmpegDecoder(ByteReader& bytes, std::unique_ptr<ByteReader> owned,
                const Options& options, HostAllocator& allocator)
      : options_(options),
        allocator_(allocator),
        owned_(std::move(owned)),
        bytes_(bytes) {}

  absl::Status Open() {
    AVFormatContext* input = avformat_alloc_context();
    if (input == nullptr) return absl::ResourceExhaustedError("no memory");
    input->interrupt_callback = {&FfmpegDecoder::Interrupted, this};
    auto* buffer = static_cast<uint8_t*>(av_malloc(kIoBufferBytes));
    io_.reset(avio_alloc_context(
        buffer, kIoBufferBytes, /*write_flag=*/0, this,
        &FfmpegDecoder::ReadBytes, &IgnoreReport,
        bytes_.size() >= 0 ? &FfmpegDecoder::SeekBytes : nullptr));
    if (options_.feed == Options::Feed::kRtp) {
      // Reports must not be written into the buffer that packets are read to.
      io_->direct = 1;
      io_->max_packet_size = kMaxPacketBytes;
    }
    input->pb = io_.get();
    // Playlists name other files and hosts, and FFmpeg would go there. No
    // protocol has the name "none".
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    const AVInputFormat* format = nullptr;
    if (options_.feed != Options::Feed::kFile) SetLive(input, &options);
    if (options_.feed == Options::Feed::kRtp) {
      format = av_find_input_format("sdp");
      av_dict_set(&options, "sdp_flags", "custom_io", 0);
      // TCP delivers in order.
      av_dict_set(&options, "reorder_queue_size", "0", 0);
    }
    // On failure FFmpeg frees the context itself.
    int code = avformat_open_input(&input, nullptr, format, &options);
    av_dict_free(&options);
    if (code < 0) {
      return Undecodable(absl::StrCat("this is no video that can be read: ",
                                      FfmpegError(code)));
    }
    input_.reset(input);
    // The end of the description was not that of the packets.
    if (description_ended_) io_->eof_reached = 0;
    description_ended_ = false;
    code = FindTracks();
    if (code < 0) {
      return Undecodable(absl::StrCat("the video's tracks cannot be read: ",
                                      FfmpegError(code)));
    }
    return OpenCodec();
  }

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    while (true) {
      if (interrupted_) return absl::CancelledError("interrupted");
      SAM3_RETURN_IF_ERROR(refusal_);
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == 0) {
        if (frame_->decode_error_flags != 0) ++damaged_;
        absl::StatusOr<VideoPicture> picture = Convert();
        av_frame_unref(frame_.get());
        if (!picture.ok()) return picture.status();
        return std::optional<VideoPicture>(*std::move(picture));
      }
      if (code == AVERROR_EOF) return std::optional<VideoPicture>();
      if (code != AVERROR(EAGAIN)) {
        ++damaged_;
        if (draining_) return std::optional<VideoPicture>();
      }
      Feed();
    }
  }

  void Interrupt() override {
    interrupted_ = true;
    bytes_.Abort();
  }

  int width() const override {
    return SwapsSides(orientation_) ? coded().height : coded().width;
  }
  int height() const override {
    return SwapsSides(orientation_) ? coded().width : coded().height;
  }
  double frame_rate() const override {
    const AVRational rate = input_->streams[track_]->avg_frame_rate;
    return rate.den > 0 ? av_q2d(rate) : 0;
  }
  int64_t frame_count() const override {
    return input_->streams[track_]->nb_frames;
  }
  int64_t damaged_parts() const override { return damaged_; }

 private:
  const AVCodecParameters& coded() const {
    return *input_->streams[track_]->codecpar;
  }

  static int ReadBytes(void* self, uint8_t* buffer, int size) {
    auto& decoder = *static_cast<FfmpegDecoder*>(self);
    // FFmpeg asks on behind the description's end.
    if (decoder.description_ended_) return AVERROR_EOF;
    const int64_t count =
        decoder.bytes_.Read(buffer, static_cast<size_t>(size));
    if (count < 0) return AVERROR_EXIT;
    if (count > 0) return static_cast<int>(count);
    decoder.description_ended_ = decoder.options_.feed == Options::Feed::kRtp &&
                                 decoder.input_ == nullptr;
    return AVERROR_EOF;
  }

  static int64_t SeekBytes(void* self, int64_t offset, int whence) {
    ByteReader& bytes = static_cast<FfmpegDecoder*>(self)->bytes_;
    if ((whence & AVSEEK_SIZE) != 0) return bytes.size();
    const bool sought = (whence & ~AVSEEK_FORCE) == SEEK_SET && offset >= 0 &&
                        bytes.Seek(offset);
    return sought ? offset : AVERROR(EINVAL);
  }

  static int Interrupted(void* self) {
    return static_cast<FfmpegDecoder*>(self)->interrupted_ ? 1 : 0;
  }

  void SetLive(AVFormatContext* input, AVDictionary** options) const {
    const bool rtp = options_.feed == Options::Feed::kRtp;
    av_dict_set(options, "format_whitelist", rtp ? "sdp" : kLiveFormats, 0);
    av_dict_set(options, "codec_whitelist", kLiveCodecs, 0);
    av_dict_set(options, "probesize", kLiveProbeBytes, 0);
    av_dict_set(options, "analyzeduration", kLiveProbeMicroseconds, 0);
    input->max_streams = kMaxLiveTracks;
    input->flags |= AVFMT_FLAG_DISCARD_CORRUPT;
  }

  // Pictures are decoded to learn what the header leaves out; the limit holds
  // for them too.
  int FindTracks() {
    std::vector<AVDictionary*> options(input_->nb_streams);
    for (AVDictionary*& track : options) {
      av_dict_set_int(&track, "max_pixels", options_.limits.max_pixels, 0);
    }
    const int code = avformat_find_stream_info(input_.get(), options.data());
    for (AVDictionary*& track : options) av_dict_free(&track);
    return code;
  }

  absl::Status OpenCodec() {
    const AVCodec* decoder = nullptr;
    track_ = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1,
                                 &decoder, 0);
    if (track_ < 0 || decoder == nullptr) {
      return Undecodable("there is no video track that can be decoded");
    }
    const AVStream& stream = *input_->streams[track_];
    SAM3_RETURN_IF_ERROR(
        CheckSize(stream.codecpar->width, stream.codecpar->height));
    codec_.reset(avcodec_alloc_context3(decoder));
    avcodec_parameters_to_context(codec_.get(), stream.codecpar);
    codec_->thread_count = options_.threads;
    codec_->pkt_timebase = stream.time_base;
    // Enforced before a frame's memory is taken, also when the size grows in
    // mid-stream.
    codec_->max_pixels = options_.limits.max_pixels;
    if (options_.feed != Options::Feed::kFile) {
      codec_->codec_whitelist = av_strdup(kLiveCodecs);
    }
    const int code = avcodec_open2(codec_.get(), decoder, nullptr);
    if (code < 0) {
      return Undecodable(absl::StrCat("the ", decoder->name,
                                      " decoder refuses: ", FfmpegError(code)));
    }
    orientation_ = OrientationOf(stream);
    frame_.reset(av_frame_alloc());
    packet_.reset(av_packet_alloc());
    return absl::OkStatus();
  }

  absl::Status CheckSize(int64_t width, int64_t height) const {
    const ImageLimits& limits = options_.limits;
    if (width <= limits.max_side && height <= limits.max_side &&
        width * height <= limits.max_pixels) {
      return absl::OkStatus();
    }
    return WithReason(
        absl::ResourceExhaustedError(
            absl::StrCat("the video is ", width, " x ", height,
                         " pixels; at most ", limits.max_pixels, " pixels and ",
                         limits.max_side, " a side are allowed")),
        reason::kMediaTooLarge);
  }

  // A codec does not tell what is too large from what is damaged; the headers
  // in the packet do.
  absl::Status CheckRefused(const AVPacket& packet) const {
    AVCodecParserContext* parser = av_parser_init(codec_->codec_id);
    if (parser == nullptr) return absl::OkStatus();
    parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
    const UniqueCodec context(avcodec_alloc_context3(nullptr));
    avcodec_parameters_to_context(context.get(),
                                  input_->streams[track_]->codecpar);
    uint8_t* parsed = nullptr;
    int size = 0;
    av_parser_parse2(parser, context.get(), &parsed, &size, packet.data,
                     packet.size, AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
    absl::Status status = CheckSize(parser->width, parser->height);
    av_parser_close(parser);
    return status;
  }

  // Gives the decoder its next packet, or tells it that none will come.
  void Feed() {
    while (!draining_) {
      const int code = av_read_frame(input_.get(), packet_.get());
      if (code < 0) {
        // A truncated or damaged file ends where it cannot be read any more.
        if (code != AVERROR_EOF && !interrupted_) ++damaged_;
        draining_ = true;
        avcodec_send_packet(codec_.get(), nullptr);
        return;
      }
      const bool ours = packet_->stream_index == track_;
      const int sent =
          ours ? avcodec_send_packet(codec_.get(), packet_.get()) : 0;
      if (sent < 0 && sent != AVERROR(EAGAIN)) {
        ++damaged_;
        refusal_ = CheckRefused(*packet_);
      }
      av_packet_unref(packet_.get());
      if (!ours) continue;
      return;
    }
  }

  absl::StatusOr<VideoPicture> Convert() {
    const int width = frame_->width;
    const int height = frame_->height;
    SAM3_RETURN_IF_ERROR(CheckSize(width, height));
    SAM3_RETURN_IF_ERROR(PrepareScaler());
    const bool turned = orientation_ != 1;
    const size_t bytes =
        static_cast<size_t>(width) * height * Image::kBytesPerPixel;
    const std::shared_ptr<uint8_t> pixels = allocator_.Allocate(bytes);
    if (pixels == nullptr) return absl::ResourceExhaustedError("no memory");
    if (turned) upright_.resize(bytes);
    uint8_t* target[] = {turned ? upright_.data() : pixels.get(), nullptr,
                         nullptr, nullptr};
    const int strides[] = {width * 3, 0, 0, 0};
    if (sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, height,
                  target, strides) != height) {
      return absl::InternalError("the frame's colours cannot be converted");
    }
    const bool swaps = SwapsSides(orientation_);
    if (turned) {
      CopyOriented(upright_.data(), width, height, int64_t{width} * 3,
                   orientation_, pixels.get());
    }
    VideoPicture picture;
    picture.image =
        Image(pixels, swaps ? height : width, swaps ? width : height);
    picture.start_offset = Offset();
    picture.size_changed =
        last_width_ != 0 && (width != last_width_ || height != last_height_);
    last_width_ = width;
    last_height_ = height;
    return picture;
  }

  absl::Duration Offset() {
    const int64_t stamp = frame_->best_effort_timestamp;
    // Raw streams carry no times, and others leave some out: count from the
    // last one at the nominal rate.
    const double rate = frame_rate() > 0 ? frame_rate() : 25.0;
    const absl::Duration counted =
        last_stamped_ + absl::Seconds(static_cast<double>(untimed_) / rate);
    if (stamp == AV_NOPTS_VALUE) {
      ++untimed_;
      return counted;
    }
    if (!first_stamp_.has_value()) {
      first_stamp_ = stamp;
      first_offset_ = counted;
    }
    const AVRational base = input_->streams[track_]->time_base;
    last_stamped_ = first_offset_ + absl::Nanoseconds(av_rescale_q(
                                        av_sat_sub64(stamp, *first_stamp_),
                                        base, AVRational{1, 1'000'000'000}));
    untimed_ = 1;
    return last_stamped_;
  }

  // Rebuilt only when size, format or colours change.
  absl::Status PrepareScaler() {
    const auto format = static_cast<AVPixelFormat>(frame_->format);
    scaler_.reset(sws_getCachedContext(
        scaler_.release(), frame_->width, frame_->height, format, frame_->width,
        frame_->height, AV_PIX_FMT_RGB24,
        SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr,
        nullptr));
    if (scaler_ == nullptr) {
      return Undecodable(absl::StrCat("frames of format ",
                                      av_get_pix_fmt_name(format),
                                      " cannot be converted to RGB"));
    }
    int matrix = frame_->colorspace;
    if (matrix == AVCOL_SPC_UNSPECIFIED || matrix == AVCOL_SPC_RESERVED) {
      matrix =
          frame_->height >= kHdLines ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    }
    const bool full_range = frame_->color_range == AVCOL_RANGE_JPEG;
    constexpr int kOne = 1 << 16;
    sws_setColorspaceDetails(
        scaler_.get(), sws_getCoefficients(matrix), full_range ? 1 : 0,
        sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, kOne, kOne);
    return absl::OkStatus();
  }

  const Options options_;
  HostAllocator& allocator_;
  const std::unique_ptr<ByteReader> owned_;
  ByteReader& bytes_;
  bool description_ended_ = false;
  std::atomic<bool> interrupted_{false};
  // Before the input, which uses it until it is closed.
  UniqueIo io_;
  UniqueInput input_;
  UniqueCodec codec_;
  UniqueFrame frame_;
  UniquePacket packet_;
  UniqueScaler scaler_;
  std::vector<uint8_t> upright_;
  int track_ = -1;
  int orientation_ = 1;
  int last_width_ = 0;
  int last_height_ = 0;
  bool draining_ = false;
  int64_t damaged_ = 0;
  // Of a packet whose pictures are too large.
  absl::Status refusal_;
  absl::Duration last_stamped_;
  absl::Duration first_offset_;
  // Pictures from the last stamped one on, itself included.
  int64_t untimed_ = 0;
  std::optional<int64_t> first_stamp_;
};

absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenDecoder(
    ByteReader& bytes, std::unique_ptr<ByteReader> owned,
    const VideoDecoder::Options& options, HostAllocator& allocator) {
  // FFmpeg's own messages would go to standard error, at a client's will.
  av_log_set_level(AV_LOG_QUIET);
  auto decoder = std::make_unique<FfmpegDecoder>(bytes, std::move(owned),
                                                 options, allocator);
  SAM3_RETURN_IF_ERROR(decoder->Open());
  return decoder;
}

}  // namespace

absl::StatusOr<std::unique_ptr<VideoDecoder>> VideoDecoder::OpenFile(
    const std::string& path, const Options& options, HostAllocator& allocator) {
  SAM3_ASSIGN_OR_RETURN(std::unique_ptr<FileBytes> file, FileBytes::Open(path));
  ByteReader& bytes = *file;
  return OpenDecoder(bytes, std::move(file), options, allocator);
}

absl::StatusOr<std::unique_ptr<VideoDecoder>> VideoDecoder::OpenBytes(
    ByteReader& bytes, const Options& options, HostAllocator& allocator) {
  return OpenDecoder(bytes, nullptr, options, allocator);
}

std::string FfmpegVersion() { return av_version_info(); }

}  // namespace sam3
