#include "pipeline/media/image_decoder.h"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/image_codec.h"

namespace sam3 {
namespace {

constexpr absl::string_view kSendInstead = "; send JPEG, PNG, WebP or BMP";

struct Codec {
  ImageFormat format;
  absl::StatusOr<StoredImage> (*read_header)(absl::string_view);
  absl::Status (*decode)(absl::string_view, const StoredImage&, uint8_t*);
};

constexpr Codec kJpegCodec = {ImageFormat::kJpeg, ReadJpegHeader, DecodeJpeg};
constexpr Codec kPngCodec = {ImageFormat::kPng, ReadPngHeader, DecodePng};
constexpr Codec kWebpCodec = {ImageFormat::kWebp, ReadWebpHeader, DecodeWebp};
constexpr Codec kBmpCodec = {ImageFormat::kBmp, ReadBmpHeader, DecodeBmp};

struct Signature {
  absl::string_view bytes;
  size_t at;
  absl::string_view name;
};

// What people send by mistake, so that the answer can name it.
constexpr Signature kKnownOthers[] = {
    {"GIF8", 0, "GIF"},
    {absl::string_view("II*\0", 4), 0, "TIFF"},
    {absl::string_view("MM\0*", 4), 0, "TIFF"},
    {absl::string_view("II+\0", 4), 0, "BigTIFF"},
    {absl::string_view("MM\0+", 4), 0, "BigTIFF"},
    {"ftypheic", 4, "HEIC"},
    {"ftypheix", 4, "HEIC"},
    {"ftypmif1", 4, "HEIF"},
    {"ftypavif", 4, "AVIF"},
    {"ftyp", 4, "an MP4 or QuickTime video"},
    {absl::string_view("\xFF\x0A", 2), 0, "JPEG XL"},
    {absl::string_view("\0\0\0\x0CJXL ", 8), 0, "JPEG XL"},
    {absl::string_view("\0\0\0\x0CjP  ", 8), 0, "JPEG 2000"},
    {absl::string_view("\xFF\x4F\xFF\x51", 4), 0, "JPEG 2000"},
    {absl::string_view("\0\0\1\0", 4), 0, "an icon (ICO)"},
    {"8BPS", 0, "Photoshop (PSD)"},
    {"%PDF", 0, "PDF"},
    {absl::string_view("\x1A\x45\xDF\xA3", 4), 0, "a Matroska or WebM video"},
    {absl::string_view("\x1F\x8B", 2), 0, "gzip"},
    {"PK\x03\x04", 0, "ZIP"},
    {"AVI ", 8, "an AVI video"},
    {"<", 0, "text (HTML, XML or SVG)"},
    {"{", 0, "text (JSON)"},
    {"data:", 0, "a data URL, not the bytes of a picture"},
    {"/9j/", 0, "base64 text, not the bytes of a picture"},
    {"iVBORw0KGgo", 0, "base64 text, not the bytes of a picture"},
};

bool HasAt(absl::string_view bytes, size_t at, absl::string_view signature) {
  return bytes.size() >= at && absl::StartsWith(bytes.substr(at), signature);
}

absl::StatusOr<Codec> FindCodec(absl::string_view bytes) {
  if (HasAt(bytes, 0, "\xFF\xD8\xFF")) return kJpegCodec;
  if (HasAt(bytes, 0, "\x89PNG\r\n\x1A\n")) return kPngCodec;
  if (HasAt(bytes, 0, "RIFF") && HasAt(bytes, 8, "WEBP")) return kWebpCodec;
  if (HasAt(bytes, 0, "BM")) return kBmpCodec;
  for (const Signature& other : kKnownOthers) {
    if (HasAt(bytes, other.at, other.bytes)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unsupported image format: this is ", other.name, kSendInstead));
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not a picture: its ", bytes.size(),
                   " bytes begin like no known image format", kSendInstead));
}

absl::Status CheckFileSize(absl::string_view bytes, const ImageLimits& limits) {
  if (bytes.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the picture is empty (0 bytes)", kSendInstead));
  }
  if (static_cast<int64_t>(bytes.size()) > limits.max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the picture has ", bytes.size(), " bytes, the limit is ",
        limits.max_bytes, "; compress it more or make it smaller"));
  }
  return absl::OkStatus();
}

absl::Status CheckDimensions(const StoredImage& image,
                             const ImageLimits& limits) {
  const int64_t side = std::max(image.width, image.height);
  if (side > limits.max_side) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the picture is ", image.width, "x", image.height,
                     " pixels, the limit is ", limits.max_side,
                     " pixels a side; make it smaller"));
  }
  if (image.width * image.height > limits.max_pixels) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the picture is ", image.width, "x", image.height, " = ",
                     image.width * image.height, " pixels, the limit is ",
                     limits.max_pixels, "; make it smaller"));
  }
  return absl::OkStatus();
}

struct CheckedImage {
  Codec codec;
  StoredImage stored;
};

absl::StatusOr<CheckedImage> Check(absl::string_view bytes,
                                   const ImageLimits& limits) {
  SAM3_RETURN_IF_ERROR(CheckFileSize(bytes, limits));
  SAM3_ASSIGN_OR_RETURN(const Codec codec, FindCodec(bytes));
  SAM3_ASSIGN_OR_RETURN(const StoredImage stored, codec.read_header(bytes));
  SAM3_RETURN_IF_ERROR(CheckDimensions(stored, limits));
  return CheckedImage{codec, stored};
}

ImageHeader HeaderOf(const CheckedImage& image) {
  ImageHeader header;
  header.format = image.codec.format;
  header.exif_orientation = image.stored.exif_orientation;
  header.width = static_cast<int>(image.stored.width);
  header.height = static_cast<int>(image.stored.height);
  if (SwapsSides(header.exif_orientation)) {
    std::swap(header.width, header.height);
  }
  return header;
}

absl::Status NoMemory(const ImageHeader& header) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "no memory for a picture of ", header.width, "x", header.height,
      " pixels; try again later or send a smaller one"));
}

// What a client can act on.
absl::Status Explain(absl::Status status) {
  if (status.code() == absl::StatusCode::kInvalidArgument) {
    return WithReason(std::move(status), reason::kMediaUndecodable);
  }
  if (status.code() == absl::StatusCode::kResourceExhausted) {
    return WithReason(std::move(status), reason::kMediaTooLarge);
  }
  return status;
}

}  // namespace

absl::string_view ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "unknown";
}

namespace {

absl::StatusOr<Image> Decode(absl::string_view bytes, const CheckedImage& image,
                             HostAllocator& allocator) {
  const StoredImage& stored = image.stored;
  if (static_cast<int64_t>(bytes.size()) < stored.min_file_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        ImageFormatName(image.codec.format), " is damaged: ", bytes.size(),
        " bytes cannot hold the ", stored.width, "x", stored.height,
        " pixels of its header; send the whole file again"));
  }
  const ImageHeader header = HeaderOf(image);
  const size_t size_bytes = static_cast<size_t>(stored.width) *
                            static_cast<size_t>(stored.height) *
                            Image::kBytesPerPixel;
  std::shared_ptr<uint8_t> pixels = allocator.Allocate(size_bytes);
  if (pixels == nullptr) return NoMemory(header);
  if (stored.exif_orientation == 1) {
    SAM3_RETURN_IF_ERROR(image.codec.decode(bytes, stored, pixels.get()));
  } else {
    const std::unique_ptr<uint8_t[]> unturned(new (std::nothrow)
                                                  uint8_t[size_bytes]);
    if (unturned == nullptr) return NoMemory(header);
    SAM3_RETURN_IF_ERROR(image.codec.decode(bytes, stored, unturned.get()));
    CopyOriented(unturned.get(), static_cast<int>(stored.width),
                 static_cast<int>(stored.height), stored.width * 3,
                 stored.exif_orientation, pixels.get());
  }
  return Image(std::move(pixels), header.width, header.height);
}

}  // namespace

absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view bytes,
                                            const ImageLimits& limits) {
  const absl::StatusOr<CheckedImage> image = Check(bytes, limits);
  if (!image.ok()) return Explain(image.status());
  return HeaderOf(*image);
}

absl::StatusOr<Image> DecodeImage(absl::string_view bytes,
                                  const ImageLimits& limits,
                                  HostAllocator& allocator) {
  const absl::StatusOr<CheckedImage> checked = Check(bytes, limits);
  if (!checked.ok()) return Explain(checked.status());
  absl::StatusOr<Image> image = Decode(bytes, *checked, allocator);
  if (!image.ok()) return Explain(image.status());
  return image;
}

}  // namespace sam3
