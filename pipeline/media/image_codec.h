#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// One format's way into image_decoder, which alone checks limits, takes memory
// and applies the orientation. All functions are pure, block for as long as
// the work takes and may be called from any thread.
//
// Read…Header looks at the file's structure only and takes no memory for
// pixels. Decode… fills `rgb`, which holds header.width * header.height * 3
// bytes; it never writes beyond, whatever the file says. Errors:
// INVALID_ARGUMENT for unsupported kinds and for damaged or incomplete data;
// RESOURCE_EXHAUSTED when the codec's own working memory cannot be had or the
// file asks for too much work.

// A picture as stored, before orientation.
struct StoredImage {
  int64_t width = 0;
  int64_t height = 0;
  int exif_orientation = 1;
  // No complete file with such a header is smaller, however well it is
  // compressed; 0 when the format sets no bound. Asked before memory is taken
  // for the pixels, so that a short file cannot claim a huge picture.
  int64_t min_file_bytes = 0;
};

// What every codec says of data that cannot be right.
inline absl::Status DamagedImage(absl::string_view format,
                                 absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      format, " is damaged: ", what, "; send the whole file again"));
}

absl::StatusOr<StoredImage> ReadJpegHeader(absl::string_view bytes);
absl::Status DecodeJpeg(absl::string_view bytes, const StoredImage& header,
                        uint8_t* rgb);

absl::StatusOr<StoredImage> ReadPngHeader(absl::string_view bytes);
absl::Status DecodePng(absl::string_view bytes, const StoredImage& header,
                       uint8_t* rgb);

absl::StatusOr<StoredImage> ReadWebpHeader(absl::string_view bytes);
absl::Status DecodeWebp(absl::string_view bytes, const StoredImage& header,
                        uint8_t* rgb);

absl::StatusOr<StoredImage> ReadBmpHeader(absl::string_view bytes);
absl::Status DecodeBmp(absl::string_view bytes, const StoredImage& header,
                       uint8_t* rgb);

}  // namespace sam3
