// Decoding against the ffmpeg program, on clips that it makes.
#include "pipeline/media/video_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/upload_spool.h"
#include "pipeline/media/video_writer.h"
#include "tests/support/all_pictures.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;

class VideoDecoderTest : public testing::Test {
 protected:
  VideoDecoderTest() {
    folder_ = fs::path(testing::TempDir()) / "sam3_video_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~VideoDecoderTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const {
    return (folder_ / name).string();
  }

  // Runs ffmpeg with `arguments`; the clip is the last one.
  void Ffmpeg(const std::string& arguments) const {
    ASSERT_EQ(
        std::system(  // NOLINT(concurrency-mt-unsafe)
            absl::StrCat("ffmpeg -nostdin -v error -y ", arguments).c_str()),
        0);
  }

  std::string MakeClip(const std::string& name, const std::string& source,
                       const std::string& options) const {
    Ffmpeg(absl::StrCat("-f lavfi -i ", source, " ", options, " ", Path(name)));
    return Path(name);
  }

  // What ffmpeg itself decodes, as RGB frames one after the other.
  std::string Reference(const std::string& clip) const {
    Ffmpeg(absl::StrCat("-i ", clip,
                        " -vf scale=flags=bilinear+accurate_rnd+full_chroma_int"
                        " -fps_mode passthrough -f rawvideo -pix_fmt rgb24 ",
                        Path("raw.rgb")));
    return ReadBytes(Path("raw.rgb"));
  }

  static std::string ReadBytes(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }

  std::unique_ptr<VideoDecoder> Open(const std::string& path,
                                     VideoDecoder::Options options = {}) {
    auto decoder = VideoDecoder::OpenFile(path, options, allocator_);
    EXPECT_THAT(decoder, IsOk());
    return decoder.ok() ? *std::move(decoder) : nullptr;
  }

  void ExpectEqualsFfmpeg(const std::string& clip, size_t frames,
                          double mean_difference = 1.0) {
    const std::string reference = Reference(clip);
    const auto decoder = Open(clip);
    ASSERT_NE(decoder, nullptr);
    const std::vector<VideoPicture> pictures = AllPictures(*decoder);
    ASSERT_EQ(pictures.size(), frames);
    size_t at = 0;
    for (const VideoPicture& picture : pictures) {
      ASSERT_LE(at + picture.image.size_bytes(), reference.size());
      int64_t difference = 0;
      for (size_t i = 0; i < picture.image.size_bytes(); ++i) {
        difference += std::abs(picture.image.pixels()[i] -
                               static_cast<uint8_t>(reference[at + i]));
      }
      // Rounding of another scaler path, no more.
      EXPECT_LE(static_cast<double>(difference) /
                    static_cast<double>(picture.image.size_bytes()),
                mean_difference);
      at += picture.image.size_bytes();
    }
    EXPECT_EQ(at, reference.size());
  }

  HeapAllocator allocator_;
  fs::path folder_;
};

TEST_F(VideoDecoderTest, FramesEqualFfmpegs) {
  ExpectEqualsFfmpeg(MakeClip("a.mp4", "testsrc2=size=320x240:rate=25:d=1",
                              "-pix_fmt yuv420p"),
                     25);
}

TEST_F(VideoDecoderTest, OddSizes) {
  ExpectEqualsFfmpeg(MakeClip("odd.mkv", "testsrc2=size=321x241:rate=10:d=1",
                              "-c:v libx264 -pix_fmt yuv444p"),
                     10);
}

TEST_F(VideoDecoderTest, TenBits) {
  ExpectEqualsFfmpeg(MakeClip("ten.mkv", "testsrc2=size=128x128:rate=5:d=1",
                              "-c:v ffv1 -pix_fmt yuv420p10le"),
                     5);
}

TEST_F(VideoDecoderTest, BFramesComeInOrderOfPresentation) {
  const std::string clip = MakeClip("b.mp4", "testsrc2=size=128x96:rate=30:d=1",
                                    "-c:v libx264 -bf 3 -pix_fmt yuv420p");
  ExpectEqualsFfmpeg(clip, 30);
  const auto decoder = Open(clip);
  absl::Duration last = -absl::Seconds(1);
  for (const VideoPicture& picture : AllPictures(*decoder)) {
    EXPECT_GT(picture.start_offset, last);
    last = picture.start_offset;
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(last), 29.0 / 30, 1e-3);
  EXPECT_NEAR(decoder->frame_rate(), 30, 1e-6);
  EXPECT_EQ(decoder->frame_count(), 30);
}

TEST_F(VideoDecoderTest, VariableFrameRatesKeepTheirTimes) {
  // Every third frame is missing.
  const std::string clip =
      MakeClip("vfr.mkv", "testsrc2=size=64x64:rate=10:d=1",
               "-vf \"select='not(eq(mod(n,3),1))'\" -fps_mode vfr "
               "-c:v ffv1");
  const auto decoder = Open(clip);
  std::vector<int> tenths;
  for (const VideoPicture& picture : AllPictures(*decoder)) {
    tenths.push_back(static_cast<int>(
        std::lround(absl::ToDoubleSeconds(picture.start_offset) * 10)));
  }
  EXPECT_EQ(tenths, (std::vector<int>{0, 2, 3, 5, 6, 8, 9}));
}

TEST_F(VideoDecoderTest, RotatedVideosStandUpright) {
  const std::string flat = MakeClip(
      "flat.mp4", "testsrc2=size=128x64:rate=5:d=1", "-pix_fmt yuv420p");
  // FFmpeg 6 asks for it in another way than 5, and 7 no longer knows the old.
  const bool has_option =
      std::system(  // NOLINT(concurrency-mt-unsafe)
          "ffmpeg -v quiet -h full | grep -q display_rotation") == 0;
  const char* turn = has_option ? "-display_rotation -90 " : "";
  const char* tag = has_option ? "" : " -metadata:s:v:0 rotate=90";
  Ffmpeg(absl::StrCat(turn, "-i ", flat, tag, " -c copy ", Path("turned.mp4")));
  const auto decoder = Open(Path("turned.mp4"));
  EXPECT_EQ(decoder->width(), 64);
  EXPECT_EQ(decoder->height(), 128);
  const auto pictures = AllPictures(*decoder);
  ASSERT_EQ(pictures.size(), 5u);
  EXPECT_EQ(pictures[0].image.width(), 64);
  EXPECT_EQ(pictures[0].image.height(), 128);
  // ffmpeg turns it the same way, but before it interpolates the colours;
  // turned the other way round the difference is above 50.
  ExpectEqualsFfmpeg(Path("turned.mp4"), 5, /*mean_difference=*/10.0);
}

TEST_F(VideoDecoderTest, AChangeOfSizeIsReported) {
  for (const char* size : {"96x96", "160x64"}) {
    MakeClip(absl::StrCat(size, ".ts"),
             absl::StrCat("testsrc2=size=", size, ":rate=5:d=1"),
             "-c:v mpeg2video");
  }
  std::ofstream(Path("both.ts"), std::ios::binary)
      << ReadBytes(Path("96x96.ts")) << ReadBytes(Path("160x64.ts"));
  const auto decoder = Open(Path("both.ts"));
  int changes = 0;
  for (const VideoPicture& picture : AllPictures(*decoder)) {
    changes += picture.size_changed ? 1 : 0;
  }
  EXPECT_EQ(changes, 1);
}

TEST_F(VideoDecoderTest, TruncatedFilesGiveWhatTheyHave) {
  const std::string clip = MakeClip(
      "whole.mkv", "testsrc2=size=128x96:rate=25:d=2", "-c:v ffv1 -g 1");
  const std::string bytes = ReadBytes(clip);
  std::ofstream(Path("cut.mkv"), std::ios::binary)
      << bytes.substr(0, bytes.size() / 2);
  const auto decoder = Open(Path("cut.mkv"));
  const size_t frames = AllPictures(*decoder).size();
  EXPECT_GT(frames, 10u);
  EXPECT_LT(frames, 40u);
}

TEST_F(VideoDecoderTest, FilesThatAreNoVideoAreRefused) {
  std::ofstream(Path("text.mp4")) << std::string(5000, 'a');
  const auto text = VideoDecoder::OpenFile(Path("text.mp4"), {}, allocator_);
  EXPECT_EQ(ReasonOf(text.status()), reason::kMediaUndecodable);
  MakeClip("tone.wav", "sine=d=1", "");
  EXPECT_THAT(VideoDecoder::OpenFile(Path("tone.wav"), {}, allocator_),
              StatusIs(absl::StatusCode::kInvalidArgument, "no video track"));
  EXPECT_THAT(VideoDecoder::OpenFile(Path("none.mp4"), {}, allocator_),
              StatusIs(absl::StatusCode::kNotFound, "none.mp4"));
}

TEST_F(VideoDecoderTest, LimitsHold) {
  const std::string clip = MakeClip(
      "big.mp4", "testsrc2=size=640x480:rate=5:d=1", "-pix_fmt yuv420p");
  VideoDecoder::Options options;
  options.limits.max_side = 500;
  const auto refused = VideoDecoder::OpenFile(clip, options, allocator_);
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kResourceExhausted, "640 x 480"));
  EXPECT_EQ(ReasonOf(refused.status()), reason::kMediaTooLarge);
}

TEST_F(VideoDecoderTest, PushedBytesInAnySize) {
  const std::string clip = MakeClip(
      "push.ts", "testsrc2=size=128x96:rate=25:d=1", "-c:v mpeg2video");
  const std::string bytes = ReadBytes(clip);
  for (const size_t step : {size_t{17}, size_t{4096}, bytes.size()}) {
    ByteSource source(64 << 10, [] {});
    std::thread pusher([&] {
      for (size_t at = 0; at < bytes.size(); at += step) {
        while (!source.WantsBytes()) std::this_thread::yield();
        source.Push(bytes.substr(at, step));
      }
      source.Close();
    });
    auto decoder = VideoDecoder::OpenBytes(source, {}, allocator_);
    ASSERT_THAT(decoder, IsOk());
    EXPECT_EQ(AllPictures(**decoder).size(), 25u) << step;
    pusher.join();
  }
}

TEST_F(VideoDecoderTest, AnInterruptEndsAWait) {
  ByteSource source(64 << 10, [] {});
  std::thread aborter([&] { source.Abort(); });
  EXPECT_FALSE(VideoDecoder::OpenBytes(source, {}, allocator_).ok());
  aborter.join();
}

TEST_F(VideoDecoderTest, TheOrderOfAnMp4IsSeen) {
  const std::string last = MakeClip(
      "last.mp4", "testsrc2=size=64x64:rate=5:d=1", "-pix_fmt yuv420p");
  EXPECT_TRUE(IndexComesLast(ReadBytes(last).substr(0, 4096)));
  const std::string first =
      MakeClip("first.mp4", "testsrc2=size=64x64:rate=5:d=1",
               "-pix_fmt yuv420p -movflags +faststart");
  EXPECT_FALSE(IndexComesLast(ReadBytes(first).substr(0, 4096)));
  EXPECT_FALSE(IndexComesLast("RIFF"));
  EXPECT_FALSE(IndexComesLast(""));
}

TEST_F(VideoDecoderTest, WrittenVideosCanBeRead) {
  const std::string path = Path("written.mp4");
  auto writer = VideoWriter::Create(path, 101, 64, 12.5);
  ASSERT_THAT(writer, IsOk());
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT((*writer)->Write(DrawAreas(101, 64, {{"blue", 8, 8, 40, 40}})),
                IsOk());
  }
  EXPECT_THAT((*writer)->Write(DrawAreas(64, 64, {})),
              StatusIs(absl::StatusCode::kInvalidArgument, "64 x 64"));
  ASSERT_THAT((*writer)->Finish(), IsOk());
  const auto decoder = Open(path);
  const auto pictures = AllPictures(*decoder);
  ASSERT_EQ(pictures.size(), 20u);
  EXPECT_EQ(pictures[0].image.width(), 100);
  const uint8_t* inside = pictures[0].image.pixels() + (20 * 100 + 20) * 3;
  EXPECT_LT(inside[0], 40);
  EXPECT_GT(inside[2], 215);
  EXPECT_THAT(VideoWriter::Create("/nonexistent/a.mp4", 64, 64, 25),
              StatusIs(absl::StatusCode::kUnavailable, "/nonexistent"));
}

TEST_F(VideoDecoderTest, BytesThatSendTheReaderElsewhere) {
  const std::string clip = MakeClip("segment.ts", "testsrc=size=64x64:rate=5",
                                    "-t 1 -c:v mpeg2video");
  ScriptedWebServer web;
  web.Serve("/segment.ts", ReadBytes(clip));
  for (const std::string& place : {web.UrlOf("/segment.ts"), "file:" + clip}) {
    for (const std::string& playlist :
         {absl::StrCat("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n", place,
                       "\n#EXT-X-ENDLIST\n"),
          absl::StrCat("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n", place, "\n"),
          absl::StrCat("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD="
                       "AES-128,URI=\"",
                       place, "\"\n#EXTINF:1,\n", place, "\n#EXT-X-ENDLIST\n"),
          absl::StrCat("ffconcat version 1.0\noption safe 0\nfile '", place,
                       "'\n")}) {
      ByteSource bytes(1 << 20, [] {});
      bytes.Push(playlist);
      bytes.Close();
      const auto decoder = VideoDecoder::OpenBytes(bytes, {}, allocator_);
      EXPECT_THAT(decoder, StatusIs(absl::StatusCode::kInvalidArgument, ""))
          << playlist;
    }
  }
  EXPECT_TRUE(web.requests().empty());
  // A playlist file may name files, and no hosts.
  std::ofstream(Path("far.m3u8"))
      << "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
      << web.UrlOf("/segment.ts") << "\n#EXT-X-ENDLIST\n";
  EXPECT_FALSE(VideoDecoder::OpenFile(Path("far.m3u8"), {}, allocator_).ok());
  EXPECT_TRUE(web.requests().empty());
}

}  // namespace
}  // namespace sam3
