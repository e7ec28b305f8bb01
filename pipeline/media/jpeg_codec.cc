#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

// jpeglib.h needs size_t and FILE from the headers above.
#include <jerror.h>
#include <jpeglib.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/image_codec.h"

namespace sam3 {
namespace {

// A progressive file may repeat scans at will, each as costly as the picture
// is large. Encoders write about ten.
constexpr int kMaxScans = 64;
// The best a Huffman-coded file can do: one bit for an 8x8 block.
constexpr int64_t kMaxPixelsPerByte = 512;

absl::Status UnsupportedJpeg(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "JPEG is of an unsupported kind: ", what,
      "; save it as an ordinary (baseline or progressive, 8-bit) JPEG"));
}

struct Segment {
  uint8_t marker = 0;
  absl::string_view payload;
};

// Walks over the marker segments of a file up to the first scan.
class SegmentReader {
 public:
  explicit SegmentReader(absl::string_view bytes) : bytes_(bytes) {}

  // Nothing at the end of the data or where no segment begins.
  std::optional<Segment> Next() {
    if (at_ >= bytes_.size() || Byte(at_) != 0xFF) return std::nullopt;
    while (at_ < bytes_.size() && Byte(at_) == 0xFF) ++at_;
    if (at_ >= bytes_.size()) return std::nullopt;
    Segment segment;
    segment.marker = Byte(at_++);
    const bool stands_alone =
        segment.marker == 0x01 ||
        (segment.marker >= 0xD0 && segment.marker <= 0xD9);
    if (stands_alone) return segment;
    if (at_ + 2 > bytes_.size()) return std::nullopt;
    const size_t length = static_cast<size_t>(Byte(at_)) << 8 | Byte(at_ + 1);
    if (length < 2 || at_ + length > bytes_.size()) return std::nullopt;
    segment.payload = bytes_.substr(at_ + 2, length - 2);
    at_ += length;
    return segment;
  }

  // Moves from compressed data to the marker after it.
  void SkipEntropyCodedData() {
    while (at_ + 1 < bytes_.size()) {
      const void* found =
          std::memchr(bytes_.data() + at_, 0xFF, bytes_.size() - at_ - 1);
      if (found == nullptr) break;
      at_ =
          static_cast<size_t>(static_cast<const char*>(found) - bytes_.data());
      const uint8_t next = Byte(at_ + 1);
      const bool within_scan =
          next == 0x00 || next == 0xFF || (next >= 0xD0 && next <= 0xD7);
      if (!within_scan) return;
      ++at_;
    }
    at_ = bytes_.size();
  }

 private:
  uint8_t Byte(size_t at) const { return static_cast<uint8_t>(bytes_[at]); }

  absl::string_view bytes_;
  size_t at_ = 0;
};

bool IsStartOfFrame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
         marker != 0xCC;
}

absl::Status ReadFrameHeader(const Segment& segment, StoredImage* image) {
  if (segment.payload.size() < 6) {
    return DamagedImage("JPEG", "its frame header is short");
  }
  const auto byte = [&](size_t at) {
    return static_cast<uint8_t>(segment.payload[at]);
  };
  if (byte(0) != 8) {
    return UnsupportedJpeg(absl::StrCat(byte(0), " bits a sample"));
  }
  const bool lossless = (segment.marker & 3) == 3;
  if (lossless) return UnsupportedJpeg("lossless coding");
  const bool arithmetic = segment.marker > 0xC8;
  if (arithmetic) return UnsupportedJpeg("arithmetic coding");
  image->height = byte(1) << 8 | byte(2);
  image->width = byte(3) << 8 | byte(4);
  if (image->width == 0 || image->height == 0) {
    return DamagedImage("JPEG", "its width or height is 0");
  }
  image->min_file_bytes = image->width * image->height / kMaxPixelsPerByte;
  return absl::OkStatus();
}

absl::Status CheckScanCount(absl::string_view bytes) {
  SegmentReader reader(bytes);
  int scans = 0;
  while (std::optional<Segment> segment = reader.Next()) {
    if (segment->marker == 0xD9) break;
    if (segment->marker != 0xDA) continue;
    if (++scans > kMaxScans) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "JPEG has more than ", kMaxScans,
          " scans, the limit; save it with an ordinary progressive encoder"));
    }
    reader.SkipEntropyCodedData();
  }
  return absl::OkStatus();
}

// Damage that leaves part of the picture without data. libjpeg reports it as a
// warning and goes on with grey blocks.
bool LosesPixels(int message_code) {
  switch (message_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
      return true;
    default:
      return false;
  }
}

// libjpeg's error state; it hands back a pointer to the first member.
struct JpegErrors {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool out_of_memory;
};

// libjpeg's error_exit must not return, and a C++ exception must not pass
// through C frames: longjmp is what remains. Each member function that sets
// the jump target holds no local that needs a destructor.
class JpegDecompressor {
 public:
  JpegDecompressor() {
    cinfo_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = &JpegDecompressor::Fail;
    errors_.base.emit_message = &JpegDecompressor::Warn;
    errors_.base.output_message = [](j_common_ptr) {};
  }
  JpegDecompressor(const JpegDecompressor&) = delete;
  JpegDecompressor& operator=(const JpegDecompressor&) = delete;
  ~JpegDecompressor() { jpeg_destroy_decompress(&cinfo_); }

  bool Start(absl::string_view bytes) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_decompress(&cinfo_);
    jpeg_mem_src(&cinfo_, reinterpret_cast<const uint8_t*>(bytes.data()),
                 bytes.size());
    jpeg_read_header(&cinfo_, TRUE);
    const bool inks = cinfo_.jpeg_color_space == JCS_CMYK ||
                      cinfo_.jpeg_color_space == JCS_YCCK;
    cinfo_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    cinfo_.dct_method = JDCT_ISLOW;
    return true;
  }

  bool Decode(uint8_t* rgb) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_start_decompress(&cinfo_);
    const bool inks = cinfo_.out_color_space == JCS_CMYK;
    JSAMPARRAY ink_row =
        inks ? cinfo_.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&cinfo_),
                                        JPOOL_IMAGE, cinfo_.output_width * 4, 1)
             : nullptr;
    while (cinfo_.output_scanline < cinfo_.output_height) {
      JSAMPROW row = rgb + size_t{cinfo_.output_scanline} *
                               size_t{cinfo_.output_width} * 3;
      jpeg_read_scanlines(&cinfo_, inks ? ink_row : &row, 1);
      if (inks) InksToRgb(ink_row[0], cinfo_.output_width, row);
    }
    jpeg_finish_decompress(&cinfo_);
    return true;
  }

  int64_t width() const { return cinfo_.image_width; }
  int64_t height() const { return cinfo_.image_height; }

  absl::Status status() const {
    if (errors_.out_of_memory) {
      return absl::ResourceExhaustedError(
          "no memory to decode this JPEG; try again later or send a smaller "
          "picture");
    }
    return DamagedImage("JPEG", errors_.message);
  }

 private:
  // Inks are stored inverted, as Adobe's programs do and everybody since.
  static void InksToRgb(const uint8_t* inks, JDIMENSION width, uint8_t* rgb) {
    for (JDIMENSION x = 0; x < width; ++x, inks += 4, rgb += 3) {
      const int light = inks[3];
      for (int channel = 0; channel < 3; ++channel) {
        const int scaled = (255 - inks[channel]) * light + 128;
        rgb[channel] =
            static_cast<uint8_t>(light - (((scaled >> 8) + scaled) >> 8));
      }
    }
  }

  [[noreturn]] static void Fail(j_common_ptr cinfo) {
    auto* errors = reinterpret_cast<JpegErrors*>(cinfo->err);
    errors->out_of_memory = errors->base.msg_code == JERR_OUT_OF_MEMORY;
    errors->base.format_message(cinfo, errors->message);
    std::longjmp(errors->jump, 1);
  }

  static void Warn(j_common_ptr cinfo, int level) {
    if (level < 0 && LosesPixels(cinfo->err->msg_code)) Fail(cinfo);
  }

  JpegErrors errors_ = {};
  jpeg_decompress_struct cinfo_ = {};
};

}  // namespace

absl::StatusOr<StoredImage> ReadJpegHeader(absl::string_view bytes) {
  StoredImage image;
  SegmentReader reader(bytes);
  while (std::optional<Segment> segment = reader.Next()) {
    if (segment->marker == 0xE1 &&
        absl::StartsWith(segment->payload, absl::string_view("Exif\0\0", 6))) {
      image.exif_orientation = ReadExifOrientation(segment->payload);
    }
    if (IsStartOfFrame(segment->marker)) {
      if (absl::Status status = ReadFrameHeader(*segment, &image);
          !status.ok()) {
        return status;
      }
    }
    if (segment->marker == 0xDA) {
      if (image.width == 0) {
        return DamagedImage("JPEG", "a scan comes before its frame");
      }
      return image;
    }
    if (segment->marker == 0xD9) {
      return DamagedImage("JPEG", "it holds no picture");
    }
  }
  // EXIF may follow the frame header, but a caller that has the first bytes
  // only wants the size.
  if (image.width > 0) return image;
  return DamagedImage("JPEG", "it ends or breaks off before the frame header");
}

absl::Status DecodeJpeg(absl::string_view bytes, const StoredImage& header,
                        uint8_t* rgb) {
  if (absl::Status status = CheckScanCount(bytes); !status.ok()) return status;
  JpegDecompressor decompressor;
  if (!decompressor.Start(bytes)) return decompressor.status();
  if (decompressor.width() != header.width ||
      decompressor.height() != header.height) {
    return DamagedImage("JPEG", "it has two frame headers of different size");
  }
  if (!decompressor.Decode(rgb)) return decompressor.status();
  return absl::OkStatus();
}

}  // namespace sam3
