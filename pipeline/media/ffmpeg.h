#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <memory>
#include <string>

namespace sam3 {

// Owners for FFmpeg's objects; the one place that names its headers and its
// ways of freeing. FFmpeg is C: nothing may throw through its callbacks.

struct FreeInput {
  void operator()(AVFormatContext* context) const {
    avformat_close_input(&context);
  }
};
struct FreeOutput {
  void operator()(AVFormatContext* context) const {
    if (context->pb != nullptr) avio_closep(&context->pb);
    avformat_free_context(context);
  }
};
struct FreeCodec {
  void operator()(AVCodecContext* context) const {
    avcodec_free_context(&context);
  }
};
struct FreeFrame {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeScaler {
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};
// The buffer belongs to the context and may have been replaced by FFmpeg.
struct FreeIo {
  void operator()(AVIOContext* context) const {
    av_freep(&context->buffer);
    avio_context_free(&context);
  }
};

using UniqueInput = std::unique_ptr<AVFormatContext, FreeInput>;
using UniqueOutput = std::unique_ptr<AVFormatContext, FreeOutput>;
using UniqueCodec = std::unique_ptr<AVCodecContext, FreeCodec>;
using UniqueFrame = std::unique_ptr<AVFrame, FreeFrame>;
using UniquePacket = std::unique_ptr<AVPacket, FreePacket>;
using UniqueScaler = std::unique_ptr<SwsContext, FreeScaler>;
using UniqueIo = std::unique_ptr<AVIOContext, FreeIo>;

// The track's display matrix, nine fixed-point numbers, or null. FFmpeg 6.1
// moved it from the stream to the codec parameters.
inline const int32_t* DisplayMatrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* data = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
      AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* bytes = data == nullptr ? nullptr : data->data;
#else
  const uint8_t* bytes =
      av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
#endif
  return reinterpret_cast<const int32_t*>(bytes);
}

// FFmpeg's words for one of its error codes.
inline std::string FfmpegError(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

}  // namespace sam3
