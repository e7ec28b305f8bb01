#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/image_codec.h"

namespace sam3 {
namespace {

constexpr size_t kSignatureBytes = 8;
// Deflate's best ratio.
constexpr int64_t kMaxDeflateRatio = 1032;
// Of 16 bits in four channels.
constexpr size_t kMaxPixelBytes = 8;
// What encoders may have left behind the last row.
constexpr size_t kMaxSurplusBytes = 4 << 10;
// libpng reads so much ahead.
constexpr size_t kReadAheadBytes = 4 << 10;
// PLTE and tRNS are small; everything else is skipped.
constexpr png_alloc_size_t kMaxChunkMemory = 1 << 20;

uint32_t ReadBigEndian32(absl::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return value;
}

// Bits a pixel, or 0 for a combination that PNG does not have.
int BitsPerPixel(int color_type, int depth) {
  const bool deep = depth == 8 || depth == 16;
  const bool shallow = depth == 1 || depth == 2 || depth == 4;
  switch (color_type) {
    case PNG_COLOR_TYPE_GRAY:
      return deep || shallow ? depth : 0;
    case PNG_COLOR_TYPE_PALETTE:
      return depth == 8 || shallow ? depth : 0;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
      return deep ? depth * 2 : 0;
    case PNG_COLOR_TYPE_RGB:
      return deep ? depth * 3 : 0;
    case PNG_COLOR_TYPE_RGB_ALPHA:
      return deep ? depth * 4 : 0;
    default:
      return 0;
  }
}

int FindPngOrientation(absl::string_view bytes) {
  for (size_t at = kSignatureBytes; at + 12 <= bytes.size();) {
    const uint32_t length = ReadBigEndian32(bytes, at);
    const absl::string_view type = bytes.substr(at + 4, 4);
    if (length > bytes.size() - at - 12) break;
    if (type == "eXIf") {
      return ReadExifOrientation(bytes.substr(at + 8, length));
    }
    if (type == "IEND") break;
    at += size_t{length} + 12;
  }
  return 1;
}

// libpng's error function must not return, and a C++ exception must not pass
// through C frames: longjmp is what remains. Each member function that sets
// the jump target holds no local that needs a destructor.
class PngReader {
 public:
  explicit PngReader(absl::string_view bytes)
      : bytes_(bytes), budget_(bytes.size()) {}
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool Start() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::Fail,
                                  &PngReader::Warn);
    if (png_ == nullptr) return false;
    if (setjmp(jump_) != 0) return false;
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return false;
    png_set_chunk_malloc_max(png_, kMaxChunkMemory);
    png_set_compression_buffer_size(png_, kReadAheadBytes);
    // Text, colour profiles and the like cost time and memory and change no
    // pixel here.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    // image_decoder has checked the size against the server's limits.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_read_fn(png_, this, &PngReader::Read);
    png_read_info(png_, info_);
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_gray_to_rgb(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool Decode(png_bytep* rows) {
    if (setjmp(jump_) != 0) return false;
    for (int pass = 0; pass < passes_; ++pass) {
      for (int64_t y = 0; y < height(); ++y) {
        // libpng inflates whatever follows the last row, to no purpose.
        if (pass == passes_ - 1 && y == height() - 1) {
          budget_ =
              static_cast<size_t>(width()) * kMaxPixelBytes + kMaxSurplusBytes;
        }
        png_read_row(png_, rows[y], nullptr);
      }
    }
    budget_ = bytes_.size();
    png_read_end(png_, nullptr);
    return true;
  }

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }
  size_t row_bytes() const { return png_get_rowbytes(png_, info_); }
  const char* message() const { return message_; }

 private:
  static void Fail(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
    std::snprintf(self->message_, sizeof(self->message_), "%s", message);
    std::longjmp(self->jump_, 1);
  }

  static void Warn(png_structp, png_const_charp) {}

  static void Read(png_structp png, png_bytep out, size_t size) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > self->bytes_.size() - self->at_) {
      png_error(png, "it breaks off before its end");
    }
    if (size > self->budget_) {
      png_error(png, "it has far more data than its header says");
    }
    self->budget_ -= size;
    std::memcpy(out, self->bytes_.data() + self->at_, size);
    self->at_ += size;
  }

  absl::string_view bytes_;
  size_t at_ = 0;
  size_t budget_;  // bytes that may still be read
  int passes_ = 1;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_ = {};
  char message_[160] = "the decoder could not be set up";
};

}  // namespace

absl::StatusOr<StoredImage> ReadPngHeader(absl::string_view bytes) {
  // Signature, then IHDR: length, type, 13 bytes, checksum.
  if (bytes.size() < kSignatureBytes + 8 + 13 + 4) {
    return DamagedImage("PNG", "it breaks off before its header ends");
  }
  if (bytes.substr(kSignatureBytes + 4, 4) != "IHDR" ||
      ReadBigEndian32(bytes, kSignatureBytes) != 13) {
    return DamagedImage("PNG", "it does not begin with its header");
  }
  StoredImage image;
  image.width = ReadBigEndian32(bytes, 16);
  image.height = ReadBigEndian32(bytes, 20);
  if (image.width == 0 || image.height == 0 || image.width > PNG_UINT_31_MAX ||
      image.height > PNG_UINT_31_MAX) {
    return DamagedImage("PNG", absl::StrCat("its header says ", image.width,
                                            "x", image.height, " pixels"));
  }
  const int bits = BitsPerPixel(static_cast<uint8_t>(bytes[25]),
                                static_cast<uint8_t>(bytes[24]));
  if (bits == 0) {
    return DamagedImage("PNG", "its header names no valid pixel format");
  }
  image.exif_orientation = FindPngOrientation(bytes);
  // In double, since a hostile header may claim 2^31 pixels a side.
  image.min_file_bytes = static_cast<int64_t>(
      static_cast<double>(image.width) * static_cast<double>(image.height) *
      bits / 8 / kMaxDeflateRatio);
  return image;
}

absl::Status DecodePng(absl::string_view bytes, const StoredImage& header,
                       uint8_t* rgb) {
  const size_t row_bytes = static_cast<size_t>(header.width) * 3;
  std::vector<png_bytep> rows(static_cast<size_t>(header.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = rgb + y * row_bytes;
  PngReader reader(bytes);
  if (!reader.Start()) return DamagedImage("PNG", reader.message());
  if (reader.width() != header.width || reader.height() != header.height ||
      reader.row_bytes() != row_bytes) {
    return DamagedImage("PNG", "its pixels do not fit its header");
  }
  if (!reader.Decode(rows.data())) return DamagedImage("PNG", reader.message());
  return absl::OkStatus();
}

}  // namespace sam3
