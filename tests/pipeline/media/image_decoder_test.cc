#include "pipeline/media/image_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/media/exif_orientation.h"
#include "pipeline/media/image_writer.h"
#include "tests/pipeline/media/picture_fixtures.h"

namespace sam3 {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<Image> Decode(absl::string_view bytes,
                             const ImageLimits& limits = ImageLimits()) {
  HeapAllocator allocator;
  return DecodeImage(bytes, limits, allocator);
}

std::string Big32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift & 0xFF));
  }
  return bytes;
}

// A PNG that claims a size and holds next to nothing.
std::string PngClaiming(uint32_t width, uint32_t height, int depth,
                        int color_type) {
  std::string ihdr = Big32(width) + Big32(height);
  ihdr.push_back(static_cast<char>(depth));
  ihdr.push_back(static_cast<char>(color_type));
  ihdr.append(3, '\0');
  return absl::StrCat("\x89PNG\r\n\x1A\n", PngChunk("IHDR", ihdr),
                      PngChunk("IDAT", "x\x9c"), PngChunk("IEND", ""));
}

std::string JpegClaiming(int width, int height) {
  std::string file = MakeJpeg(MakePattern(16, 16));
  const size_t frame = file.find("\xFF\xC0");
  file[frame + 5] = static_cast<char>(height >> 8);
  file[frame + 6] = static_cast<char>(height & 0xFF);
  file[frame + 7] = static_cast<char>(width >> 8);
  file[frame + 8] = static_cast<char>(width & 0xFF);
  return file;
}

TEST(ImageDecoderTest, LosslessFormatsGiveBackEveryPixel) {
  for (const auto& [width, height] :
       {std::pair(1, 1), std::pair(37, 23), std::pair(64, 5)}) {
    const Image image = MakePattern(width, height);
    for (const std::string& file :
         {MakePng(image), MakeWebp(image), MakeBmp(image)}) {
      const absl::StatusOr<Image> decoded = Decode(file);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_TRUE(SamePixels(*decoded, image)) << file.substr(0, 4);
    }
  }
}

TEST(ImageDecoderTest, GreyPngBecomesThreeEqualChannels) {
  const std::vector<uint8_t> grey = {0, 255, 17, 200, 3, 99};
  const absl::StatusOr<std::string> file = EncodeGreyPng(grey, 3, 2);
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::StatusOr<Image> decoded = Decode(*file);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  for (size_t i = 0; i < grey.size() * 3; ++i) {
    EXPECT_EQ(decoded->pixels()[i], grey[i / 3]) << i;
  }
}

TEST(ImageDecoderTest, ReadsFormatAndSizeFromTheHeader) {
  const Image image = MakePattern(21, 13);
  const std::pair<std::string, ImageFormat> files[] = {
      {MakeJpeg(image), ImageFormat::kJpeg},
      {MakePng(image), ImageFormat::kPng},
      {MakeWebp(image), ImageFormat::kWebp},
      {MakeBmp(image), ImageFormat::kBmp}};
  for (const auto& [file, format] : files) {
    const absl::StatusOr<ImageHeader> header =
        ReadImageHeader(file, ImageLimits());
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->format, format);
    EXPECT_EQ(header->width, 21);
    EXPECT_EQ(header->height, 13);
    EXPECT_EQ(header->exif_orientation, 1);
  }
}

class OrientationTest : public ::testing::TestWithParam<std::tuple<int, bool>> {
};

TEST_P(OrientationTest, IsAppliedToPngAndJpeg) {
  const auto [orientation, big_endian] = GetParam();
  const Image image = MakePattern(70, 41);
  const absl::StatusOr<Image> plain_jpeg = Decode(MakeJpeg(image));
  ASSERT_TRUE(plain_jpeg.ok());
  const std::pair<std::string, Image> cases[] = {
      {MakePng(image), image}, {MakeJpeg(image), *plain_jpeg}};
  for (const auto& [file, stored] : cases) {
    const std::string turned = WithExif(file, orientation, big_endian);
    const absl::StatusOr<Image> decoded = Decode(turned);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(SamePixels(*decoded, Oriented(stored, orientation)));
    const absl::StatusOr<ImageHeader> header =
        ReadImageHeader(turned, ImageLimits());
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->exif_orientation, orientation);
    EXPECT_EQ(header->width, decoded->width());
    EXPECT_EQ(header->height, decoded->height());
  }
}

INSTANTIATE_TEST_SUITE_P(All, OrientationTest,
                         ::testing::Combine(::testing::Range(1, 9),
                                            ::testing::Bool()));

TEST(ExifOrientationTest, DamagedBlocksMeanUpright) {
  const std::string block = ExifBlock(6, true);
  EXPECT_EQ(ReadExifOrientation(block), 6);
  for (size_t size = 0; size < block.size(); ++size) {
    const int orientation = ReadExifOrientation(block.substr(0, size));
    EXPECT_TRUE(orientation == 1 || orientation == 6) << size;
  }
  EXPECT_EQ(ReadExifOrientation(block.substr(0, 20)), 1);
  EXPECT_EQ(ReadExifOrientation(ExifBlock(0, false)), 1);
  EXPECT_EQ(ReadExifOrientation(ExifBlock(9, false)), 1);
  std::string far = block;
  far.replace(4, 4, "\xFF\xFF\xFF\xF0");
  EXPECT_EQ(ReadExifOrientation(far), 1);
}

TEST(ImageLimitsTest, NameTheLimitAndTakeNoMemory) {
  const struct {
    std::string file;
    const char* said;
  } cases[] = {
      {PngClaiming(65'000, 65'000, 1, 0), "16384 pixels a side"},
      {PngClaiming(1, 50'000'000, 8, 2), "16384 pixels a side"},
      {PngClaiming(16'000, 16'000, 8, 6), "256000000 pixels, the limit is"},
      {JpegClaiming(65'500, 65'500), "16384 pixels a side"},
      {JpegClaiming(8'000, 8'000), "64000000 pixels, the limit is"}};
  for (const auto& c : cases) {
    CountingAllocator allocator;
    const absl::StatusOr<Image> decoded =
        DecodeImage(c.file, ImageLimits(), allocator);
    EXPECT_EQ(decoded.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(decoded.status().message()), HasSubstr(c.said));
    EXPECT_EQ(allocator.total_bytes(), 0u);
    EXPECT_EQ(ReadImageHeader(c.file, ImageLimits()).status().code(),
              absl::StatusCode::kResourceExhausted);
  }
}

TEST(ImageLimitsTest, FileBytesAreLimitedExactly) {
  const std::string file = MakePng(MakePattern(9, 9));
  ImageLimits limits;
  limits.max_bytes = static_cast<int64_t>(file.size());
  EXPECT_TRUE(Decode(file, limits).ok());
  limits.max_bytes -= 1;
  const absl::Status status = Decode(file, limits).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(status.message()),
      AllOf(HasSubstr(absl::StrCat(file.size(), " bytes")),
            HasSubstr(absl::StrCat("the limit is ", limits.max_bytes))));
}

TEST(ImageLimitsTest, SidesAndPixelsAreLimitedExactly) {
  const std::string file = MakePng(MakePattern(10, 4));
  ImageLimits limits;
  limits.max_side = 10;
  limits.max_pixels = 40;
  EXPECT_TRUE(Decode(file, limits).ok());
  limits.max_pixels = 39;
  EXPECT_EQ(Decode(file, limits).status().code(),
            absl::StatusCode::kResourceExhausted);
  limits.max_pixels = 40;
  limits.max_side = 9;
  EXPECT_EQ(Decode(file, limits).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ImageLimitsTest, ShortFilesCannotClaimLargePictures) {
  for (const std::string& file :
       {PngClaiming(5'000, 5'000, 8, 2), JpegClaiming(5'000, 5'000),
        MakeBmp(MakePattern(4, 4)).replace(18, 4, "\x88\x13\0\0", 4)}) {
    CountingAllocator allocator;
    const absl::StatusOr<Image> decoded =
        DecodeImage(file, ImageLimits(), allocator);
    EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(decoded.status().message()),
                HasSubstr("cannot hold"));
    EXPECT_EQ(allocator.total_bytes(), 0u);
  }
}

TEST(ImageDecoderTest, NoMemoryIsAnError) {
  CountingAllocator allocator(/*max_bytes=*/10);
  const absl::StatusOr<Image> decoded =
      DecodeImage(MakePng(MakePattern(9, 9)), ImageLimits(), allocator);
  EXPECT_EQ(decoded.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(ImageDecoderTest, SaysWhatItWasGivenInstead) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "empty"},
      {"GIF89a.......", "GIF"},
      {std::string("II*\0aaaa", 8), "TIFF"},
      {std::string("\0\0\0\x18"
                   "ftypheic",
                   12),
       "HEIC"},
      {std::string("\0\0\0\x18"
                   "ftypavif",
                   12),
       "AVIF"},
      {std::string("\0\0\0\x18"
                   "ftypisom",
                   12),
       "video"},
      {"%PDF-1.4", "PDF"},
      {"<svg xmlns=", "SVG"},
      {"data:image/png;base64,iVBO", "data URL"},
      {"/9j/4AAQSkZJRg", "base64"},
      {"hello world", "not a picture"},
      {std::string(100, '\0'), "not a picture"}};
  for (const auto& [bytes, said] : cases) {
    const absl::Status status = ReadImageHeader(bytes, ImageLimits()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(said), HasSubstr("send JPEG, PNG")));
  }
}

// A grey picture of 4 x 4 pixels with `surplus` bytes behind its last row, in
// blocks that are stored as they are.
std::string PngWithSurplus(size_t surplus) {
  const std::string data(4 * (1 + 4 * 3) + surplus, '\0');
  std::string stream = "\x78\x01";
  constexpr size_t kBlock = 60'000;
  for (size_t at = 0; at < data.size(); at += kBlock) {
    const size_t size = std::min(kBlock, data.size() - at);
    stream += at + size == data.size() ? '\1' : '\0';
    for (const size_t word : {size, ~size}) {
      stream += static_cast<char>(word & 0xFF);
      stream += static_cast<char>(word >> 8 & 0xFF);
    }
    stream += data.substr(at, size);
  }
  // Adler-32 of zeros: the upper half counts them.
  const size_t sum = data.size() % 65521;
  stream += {static_cast<char>(sum >> 8), static_cast<char>(sum & 0xFF), 0, 1};
  std::string header("\0\0\0\4\0\0\0\4\x08\x02\0\0\0", 13);
  return absl::StrCat("\x89PNG\r\n\x1a\n", PngChunk("IHDR", header),
                      PngChunk("IDAT", stream), PngChunk("IEND", ""));
}

TEST(PngTest, FarMoreDataThanPixelsIsRefusedUnread) {
  // Some encoders leave a little.
  EXPECT_TRUE(Decode(PngWithSurplus(0)).ok());
  EXPECT_TRUE(Decode(PngWithSurplus(1'000)).ok());
  const absl::Status status = Decode(PngWithSurplus(100'000)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more data"));
}

TEST(JpegTest, EndlessScansAreRefused) {
  const std::string file = MakeJpeg(MakePattern(16, 16));
  const size_t scan = file.find("\xFF\xDA");
  std::string bomb = file.substr(0, file.size() - 2);
  for (int i = 0; i < 1000; ++i) {
    bomb += file.substr(scan, file.size() - 2 - scan);
  }
  bomb += "\xFF\xD9";
  const absl::Status status = Decode(bomb).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("64 scans"));
}

TEST(JpegTest, UnusualKindsAreNamed) {
  std::string file = MakeJpeg(MakePattern(16, 16));
  const size_t frame = file.find("\xFF\xC0");
  std::string twelve_bits = file;
  twelve_bits[frame + 4] = 12;
  EXPECT_THAT(std::string(Decode(twelve_bits).status().message()),
              HasSubstr("12 bits"));
  std::string lossless = file;
  lossless[frame + 1] = '\xC3';
  EXPECT_THAT(std::string(Decode(lossless).status().message()),
              HasSubstr("lossless"));
  std::string arithmetic = file;
  arithmetic[frame + 1] = '\xC9';
  EXPECT_THAT(std::string(Decode(arithmetic).status().message()),
              HasSubstr("arithmetic"));
}

// Every way to break a file must end in a status, and where a picture comes
// out nevertheless it must have the size that the header promised.
class BrokenFileTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string GoodFile() const {
    const Image image = MakePattern(23, 17);
    const std::string format = GetParam();
    if (format == "jpeg") return WithExif(MakeJpeg(image), 6, true);
    if (format == "png") return WithExif(MakePng(image), 6, true);
    if (format == "webp") return MakeWebp(image);
    return MakeBmp(image);
  }

  void MustEndWell(const std::string& file) {
    CountingAllocator allocator;
    ImageLimits limits;
    limits.max_pixels = 4'000'000;
    const absl::StatusOr<ImageHeader> header = ReadImageHeader(file, limits);
    const absl::StatusOr<Image> image = DecodeImage(file, limits, allocator);
    EXPECT_LE(allocator.total_bytes(), 12'000'000u);
    if (image.ok()) {
      ASSERT_TRUE(header.ok());
      EXPECT_EQ(image->width(), header->width);
      EXPECT_EQ(image->height(), header->height);
      return;
    }
    EXPECT_TRUE(absl::IsInvalidArgument(image.status()) ||
                absl::IsResourceExhausted(image.status()))
        << image.status();
    EXPECT_FALSE(image.status().message().empty());
  }
};

TEST_P(BrokenFileTest, EveryTruncationIsRefused) {
  const std::string file = GoodFile();
  ASSERT_TRUE(Decode(file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    const absl::Status status = Decode(file.substr(0, size)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
        << size << " of " << file.size() << ": " << status;
  }
}

TEST_P(BrokenFileTest, BitFlips) {
  const std::string file = GoodFile();
  for (size_t at = 0; at < file.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string broken = file;
      broken[at] = static_cast<char>(broken[at] ^ (1 << bit));
      MustEndWell(broken);
    }
  }
}

TEST_P(BrokenFileTest, RandomDamage) {
  const std::string file = GoodFile();
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::string broken = file;
    const int edits = 1 + static_cast<int>(random() % 12);
    for (int i = 0; i < edits; ++i) {
      const size_t at = random() % broken.size();
      switch (random() % 5) {
        case 0:
          broken[at] = static_cast<char>(random());
          break;
        case 1:
          broken.erase(at, 1 + random() % 9);
          break;
        case 2:
          broken.insert(at, broken.substr(random() % broken.size(), 7));
          break;
        case 3:
          broken.replace(at, 4, "\xFF\xFF\xFF\xFF");
          break;
        default:
          broken.replace(at, 4, std::string(4, '\0'));
          break;
      }
      if (broken.empty()) break;
    }
    MustEndWell(broken);
  }
}

TEST_P(BrokenFileTest, TrailingGarbageIsHarmless) {
  std::string file = GoodFile();
  const absl::StatusOr<Image> clean = Decode(file);
  const absl::StatusOr<Image> garbage = Decode(file + std::string(999, 'x'));
  ASSERT_TRUE(clean.ok() && garbage.ok()) << garbage.status();
  EXPECT_TRUE(SamePixels(*clean, *garbage));
}

TEST_P(BrokenFileTest, SignatureAloneIsRefused) {
  MustEndWell(GoodFile().substr(0, 12) + std::string(4000, '\xFF'));
  MustEndWell(GoodFile().substr(0, 12) + std::string(4000, '\0'));
}

INSTANTIATE_TEST_SUITE_P(Formats, BrokenFileTest,
                         ::testing::Values("jpeg", "png", "webp", "bmp"));

}  // namespace
}  // namespace sam3
