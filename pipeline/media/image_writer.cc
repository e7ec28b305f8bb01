#include "pipeline/media/image_writer.h"

#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

// jpeglib.h needs size_t and FILE from the headers above.
#include <jpeglib.h>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

absl::StatusOr<std::string> WritePng(const uint8_t* pixels, int width,
                                     int height, uint32_t format) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<uint32_t>(width);
  png.height = static_cast<uint32_t>(height);
  png.format = format;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string file(size, '\0');
  if (!png_image_write_to_memory(&png, file.data(), &size,
                                 /*convert_to_8_bit=*/0, pixels,
                                 /*row_stride=*/0, /*colormap=*/nullptr)) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot write a PNG of ",
                                                     width, "x", height,
                                                     " pixels: ", png.message));
  }
  file.resize(size);
  return file;
}

struct JpegWriteErrors {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

// libjpeg's error_exit must not return, and a C++ exception must not pass
// through C frames: longjmp is what remains. The member function that sets the
// jump target holds no local that needs a destructor.
class JpegCompressor {
 public:
  JpegCompressor() {
    cinfo_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = [](j_common_ptr cinfo) {
      auto* errors = reinterpret_cast<JpegWriteErrors*>(cinfo->err);
      errors->base.format_message(cinfo, errors->message);
      std::longjmp(errors->jump, 1);
    };
    errors_.base.output_message = [](j_common_ptr) {};
  }
  JpegCompressor(const JpegCompressor&) = delete;
  JpegCompressor& operator=(const JpegCompressor&) = delete;
  ~JpegCompressor() {
    jpeg_destroy_compress(&cinfo_);
    std::free(file_);
  }

  bool Compress(const Image& image, int quality) {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_compress(&cinfo_);
    jpeg_mem_dest(&cinfo_, &file_, &file_bytes_);
    cinfo_.image_width = static_cast<JDIMENSION>(image.width());
    cinfo_.image_height = static_cast<JDIMENSION>(image.height());
    cinfo_.input_components = 3;
    cinfo_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&cinfo_);
    jpeg_set_quality(&cinfo_, quality, /*force_baseline=*/TRUE);
    jpeg_start_compress(&cinfo_, /*write_all_tables=*/TRUE);
    const size_t row_bytes = size_t{cinfo_.image_width} * 3;
    while (cinfo_.next_scanline < cinfo_.image_height) {
      // libjpeg does not write to its input, its type says so nowhere.
      JSAMPROW row = const_cast<JSAMPROW>(image.pixels() +
                                          cinfo_.next_scanline * row_bytes);
      jpeg_write_scanlines(&cinfo_, &row, 1);
    }
    jpeg_finish_compress(&cinfo_);
    return true;
  }

  std::string file() const {
    return std::string(reinterpret_cast<const char*>(file_), file_bytes_);
  }
  const char* message() const { return errors_.message; }

 private:
  JpegWriteErrors errors_ = {};
  jpeg_compress_struct cinfo_ = {};
  unsigned char* file_ = nullptr;
  unsigned long file_bytes_ = 0;  // NOLINT(google-runtime-int): libjpeg's type
};

}  // namespace

absl::StatusOr<std::string> EncodePng(const Image& image) {
  if (image.empty()) return absl::InvalidArgumentError("the image is empty");
  return WritePng(image.pixels(), image.width(), image.height(),
                  PNG_FORMAT_RGB);
}

absl::StatusOr<std::string> EncodeGreyPng(absl::Span<const uint8_t> pixels,
                                          int width, int height) {
  if (width <= 0 || height <= 0 ||
      pixels.size() !=
          static_cast<size_t>(width) * static_cast<size_t>(height)) {
    return absl::InvalidArgumentError(
        absl::StrCat(pixels.size(), " bytes are not a grey picture of ", width,
                     "x", height, " pixels"));
  }
  return WritePng(pixels.data(), width, height, PNG_FORMAT_GRAY);
}

absl::StatusOr<std::string> EncodeJpeg(const Image& image, int quality) {
  if (image.empty()) return absl::InvalidArgumentError("the image is empty");
  if (quality < 1 || quality > 100) {
    return absl::InvalidArgumentError(
        absl::StrCat("JPEG quality is ", quality, ", must be 1..100"));
  }
  JpegCompressor compressor;
  if (!compressor.Compress(image, quality)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot write a JPEG of ", image.width(), "x",
                     image.height(), " pixels: ", compressor.message()));
  }
  return compressor.file();
}

}  // namespace sam3
