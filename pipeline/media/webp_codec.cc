#include <webp/decode.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/image_codec.h"

namespace sam3 {
namespace {

constexpr size_t kRiffHeaderBytes = 12;
constexpr size_t kChunkHeaderBytes = 8;

const uint8_t* Data(absl::string_view bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

absl::Status FailureOf(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(
          "no memory to decode this WebP; try again later or send a smaller "
          "picture");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return DamagedImage("WebP", "it breaks off before its end");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return absl::InvalidArgumentError(
          "WebP is of an unsupported kind; save it as a still WebP, JPEG or "
          "PNG");
    default:
      return DamagedImage("WebP", "its data makes no sense");
  }
}

uint32_t ReadLittleEndian32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return value;
}

int FindWebpOrientation(absl::string_view bytes) {
  size_t at = kRiffHeaderBytes;
  while (at + kChunkHeaderBytes <= bytes.size()) {
    const uint64_t length = ReadLittleEndian32(bytes, at + 4);
    const uint64_t left = bytes.size() - at - kChunkHeaderBytes;
    if (length > left) break;
    if (bytes.substr(at, 4) == "EXIF") {
      return ReadExifOrientation(bytes.substr(at + kChunkHeaderBytes, length));
    }
    // Chunks are padded to an even size.
    at += kChunkHeaderBytes + length + (length & 1);
  }
  return 1;
}

}  // namespace

absl::StatusOr<StoredImage> ReadWebpHeader(absl::string_view bytes) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code =
      WebPGetFeatures(Data(bytes), bytes.size(), &features);
  if (code != VP8_STATUS_OK) return FailureOf(code);
  if (features.has_animation) {
    return absl::InvalidArgumentError(
        "WebP is of an unsupported kind: an animation; send its frames as "
        "single pictures or as a video");
  }
  StoredImage image;
  image.width = features.width;
  image.height = features.height;
  image.exif_orientation = FindWebpOrientation(bytes);
  return image;
}

absl::Status DecodeWebp(absl::string_view bytes, const StoredImage& header,
                        uint8_t* rgb) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) {
    return absl::InternalError("libwebp is of another version than its header");
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = rgb;
  config.output.u.RGBA.stride = static_cast<int>(header.width * 3);
  config.output.u.RGBA.size = static_cast<size_t>(header.width) *
                              static_cast<size_t>(header.height) * 3;
  const VP8StatusCode code = WebPDecode(Data(bytes), bytes.size(), &config);
  return code == VP8_STATUS_OK ? absl::OkStatus() : FailureOf(code);
}

}  // namespace sam3
