// Playlists as servers write them, and as nobody should.
#include "pipeline/media/hls_playlist.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/source_failure.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr char kHead[] = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n";

HlsMediaPlaylist Media(const std::string& text) {
  const absl::StatusOr<HlsPlaylist> playlist = ParseHlsPlaylist(text);
  EXPECT_THAT(playlist, IsOk()) << text;
  if (!playlist.ok() || !std::holds_alternative<HlsMediaPlaylist>(*playlist)) {
    ADD_FAILURE() << "no media playlist: " << text;
    return {};
  }
  return std::get<HlsMediaPlaylist>(*playlist);
}

HlsMasterPlaylist Master(const std::string& text) {
  const absl::StatusOr<HlsPlaylist> playlist = ParseHlsPlaylist(text);
  EXPECT_THAT(playlist, IsOk()) << text;
  if (!playlist.ok() || !std::holds_alternative<HlsMasterPlaylist>(*playlist)) {
    ADD_FAILURE() << "no master playlist: " << text;
    return {};
  }
  return std::get<HlsMasterPlaylist>(*playlist);
}

void ExpectRefused(const std::string& text, const std::string& why) {
  const absl::StatusOr<HlsPlaylist> refused = ParseHlsPlaylist(text);
  ASSERT_FALSE(refused.ok()) << text.substr(0, 200);
  EXPECT_EQ(SourceFailureOf(refused.status()),
            SourceFailure::kCodecUnsupported);
  EXPECT_THAT(refused.status().message(), HasSubstr(why));
}

TEST(HlsPlaylistTest, ALivePlaylistIsRead) {
  const HlsMediaPlaylist playlist = Media(
      "#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:6\r\n"
      "#EXT-X-MEDIA-SEQUENCE:41\r\n#EXTINF:5.96,Title, with comma\r\na.ts\r\n"
      "# a remark\r\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\r\n"
      "#EXTINF:6\r\n \t../b.ts?x=1 \r\n\r\n#EXT-X-DISCONTINUITY\r\n"
      "#EXTINF:6,\r\nhttp://other.example/c.ts");
  EXPECT_EQ(playlist.target_duration, absl::Seconds(6));
  EXPECT_EQ(playlist.first_sequence, 41);
  EXPECT_FALSE(playlist.ended);
  ASSERT_THAT(playlist.segments, SizeIs(3));
  EXPECT_EQ(playlist.segments[0].resource, HlsResource{"a.ts"});
  EXPECT_EQ(playlist.segments[1].resource, HlsResource{"../b.ts?x=1"});
  EXPECT_EQ(playlist.segments[2].resource,
            HlsResource{"http://other.example/c.ts"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(playlist.segments[i].sequence, 41 + i);
    EXPECT_EQ(playlist.segments[i].discontinuity, i == 2);
    EXPECT_EQ(playlist.segments[i].map, std::nullopt);
  }
}

TEST(HlsPlaylistTest, AnEndIsMarkedOrFollowsFromTheType) {
  const std::string segment = "#EXTINF:6,\na.ts\n";
  EXPECT_TRUE(Media(absl::StrCat(kHead, segment, "#EXT-X-ENDLIST")).ended);
  EXPECT_TRUE(
      Media(absl::StrCat(kHead, "#EXT-X-PLAYLIST-TYPE:VOD\n", segment)).ended);
  EXPECT_FALSE(
      Media(absl::StrCat(kHead, "#EXT-X-PLAYLIST-TYPE:EVENT\n", segment))
          .ended);
  // A live one may have nothing yet.
  EXPECT_THAT(Media(kHead).segments, SizeIs(0));
  // No server is asked as often as it likes.
  EXPECT_EQ(Media("#EXTM3U\n#EXT-X-TARGETDURATION:0").target_duration,
            absl::Seconds(1));
}

TEST(HlsPlaylistTest, PartsOfFilesFollowEachOther) {
  const HlsMediaPlaylist playlist = Media(absl::StrCat(
      kHead, "#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"800@0\"\n",
      "#EXT-X-BYTERANGE:100@800\n#EXTINF:6,\nall.mp4\n",
      "#EXTINF:6,\n#EXT-X-BYTERANGE:50\nall.mp4\n", "#EXTINF:6,\nother.mp4\n",
      "#EXT-X-MAP:URI=\"b,c.mp4\"\n#EXTINF:6,\nb.mp4\n"));
  ASSERT_THAT(playlist.segments, SizeIs(4));
  EXPECT_EQ(playlist.segments[0].map,
            (HlsResource{"all.mp4", ByteRange{0, 800}}));
  EXPECT_EQ(playlist.segments[0].resource.range, (ByteRange{800, 100}));
  EXPECT_EQ(playlist.segments[1].resource.range, (ByteRange{900, 50}));
  EXPECT_EQ(playlist.segments[2].resource.range, std::nullopt);
  EXPECT_EQ(playlist.segments[2].map, playlist.segments[0].map);
  EXPECT_EQ(playlist.segments[3].map, HlsResource{"b,c.mp4"});
}

TEST(HlsPlaylistTest, MissingSegmentsCount) {
  const HlsMediaPlaylist playlist =
      Media(absl::StrCat(kHead,
                         "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-GAP\n#EXTINF:6,\n"
                         "a.ts\n#EXTINF:6,\nb.ts\n"));
  ASSERT_THAT(playlist.segments, SizeIs(1));
  EXPECT_EQ(playlist.segments[0].sequence, 8);
  EXPECT_EQ(playlist.first_sequence, 7);
}

TEST(HlsPlaylistTest, TheBestVariantThatFitsIsPicked) {
  const HlsMasterPlaylist playlist = Master(
      "#EXTM3U\n"
      "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",URI=\"sound.m3u8\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360\nlow.m3u8\n"
      "#EXT-X-STREAM-INF:CODECS=\"avc1.4d401f,mp4a.40.2\",BANDWIDTH=2500000,"
      "RESOLUTION=1280x720\nmiddle.m3u8\n"
      "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=99,URI=\"keys.m3u8\"\n"
      "#EXT-X-STREAM-INF: BANDWIDTH = 9000000 "
      ",RESOLUTION=3840x2160\nhigh.m3u8\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=9900000\nsound.m3u8\n");
  ASSERT_THAT(playlist.variants, SizeIs(4));
  const auto picked = [&playlist](int64_t max_pixels, int max_side) {
    ImageLimits limits;
    limits.max_pixels = max_pixels;
    limits.max_side = max_side;
    return PickHlsVariant(playlist, limits).uri;
  };
  EXPECT_EQ(picked(33'000'000, 16'384), "high.m3u8");
  EXPECT_EQ(picked(33'000'000, 3839), "middle.m3u8");
  EXPECT_EQ(picked(1280 * 720, 16'384), "middle.m3u8");
  EXPECT_EQ(picked(1280 * 720 - 1, 16'384), "low.m3u8");
  // None fits.
  EXPECT_EQ(picked(100, 100), "low.m3u8");
}

TEST(HlsPlaylistTest, WithoutSizesBandwidthsDecide) {
  const HlsMasterPlaylist playlist = Master(
      "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=3\nb\n#EXT-X-STREAM-INF:X=\"open\nc\n");
  ASSERT_THAT(playlist.variants, SizeIs(3));
  EXPECT_EQ(PickHlsVariant(playlist, {}).uri, "b");
}

TEST(HlsPlaylistTest, EncryptionIsRefusedByName) {
  for (const char* key : {"METHOD=AES-128,URI=\"https://keys.example/1\"",
                          "METHOD=SAMPLE-AES", "URI=\"METHOD=NONE\"", ""}) {
    ExpectRefused(
        absl::StrCat(kHead, "#EXT-X-KEY:", key, "\n#EXTINF:6,\na.ts\n"),
        "encrypted HLS is not supported");
  }
  EXPECT_THAT(Media(absl::StrCat(kHead,
                                 "#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\n"
                                 "a.ts\n"))
                  .segments,
              SizeIs(1));
}

TEST(HlsPlaylistTest, WhatIsNoneIsRefused) {
  ExpectRefused("", "#EXTM3U");
  ExpectRefused("<html>", "#EXTM3U");
  ExpectRefused("#EXTM3U8\n", "#EXTM3U");
  ExpectRefused("\n#EXTM3U\n", "#EXTM3U");
  ExpectRefused("#EXTM3U\n", "#EXT-X-TARGETDURATION");
  // A list of songs.
  ExpectRefused(absl::StrCat(kHead, "song.mp3\n"), "#EXTINF");
  ExpectRefused(absl::StrCat(kHead, "#EXTINF:6,\na.ts\nb.ts\n"), "#EXTINF");
  ExpectRefused(absl::StrCat(kHead,
                             "#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n"
                             "#EXTINF:6,\na.ts\n"),
                "both");
}

TEST(HlsPlaylistTest, BadNumbersAreRefused) {
  for (const char* tag :
       {"#EXT-X-TARGETDURATION:", "#EXT-X-TARGETDURATION:nan",
        "#EXT-X-TARGETDURATION:-1", "#EXT-X-TARGETDURATION:1e300",
        "#EXT-X-MEDIA-SEQUENCE:-1", "#EXT-X-MEDIA-SEQUENCE:x",
        "#EXT-X-MEDIA-SEQUENCE:9223372036854775807",
        "#EXT-X-MEDIA-SEQUENCE:99999999999999999999", "#EXTINF:x,",
        "#EXTINF:inf", "#EXTINF:-1,", "#EXT-X-MAP:BYTERANGE=\"1@0\"",
        "#EXT-X-MAP:URI=\"\"", "#EXT-X-MAP:URI=\"a\",BYTERANGE=\"1@-1\"",
        "#EXT-X-STREAM-INF:RESOLUTION=1280", "#EXT-X-STREAM-INF:RESOLUTION=x",
        "#EXT-X-STREAM-INF:RESOLUTION=-1x-1"}) {
    ExpectRefused(absl::StrCat(kHead, tag, "\n"), "broken");
  }
  // Parts that have no beginning, no bytes, or too many.
  for (const char* range :
       {"1", "0@0", "-1@0", "1@", "1@-1", "x@0", "1@x", "300000000@0",
        "1@9223372036854775807", "9223372036854775807@1"}) {
    ExpectRefused(
        absl::StrCat(kHead, "#EXT-X-BYTERANGE:", range, "\n#EXTINF:6,\na.ts\n"),
        "broken #EXT-X-BYTERANGE");
  }
  // What the part before says of another file is nothing.
  ExpectRefused(absl::StrCat(kHead,
                             "#EXTINF:6,\n#EXT-X-BYTERANGE:1@0\na.ts\n"
                             "#EXTINF:6,\n#EXT-X-BYTERANGE:1\nb.ts\n"),
                "broken #EXT-X-BYTERANGE");
}

TEST(HlsPlaylistTest, NothingGrowsWithoutBound) {
  ExpectRefused(absl::StrCat(kHead, std::string(10 << 20, 'x')), "bytes");
  ExpectRefused(absl::StrCat(kHead, std::string(20'000, 'x')), "line of more");
  std::string lines = kHead;
  for (int i = 0; i < 10'000; ++i) absl::StrAppend(&lines, "#\n");
  ExpectRefused(lines, "10000 lines");
  std::string segments = kHead;
  for (int i = 0; i < 4096; ++i) absl::StrAppend(&segments, "#EXTINF:6,\na\n");
  EXPECT_THAT(Media(segments).segments, SizeIs(4096));
  absl::StrAppend(&segments, "#EXTINF:6,\na\n");
  ExpectRefused(segments, "4096 segments");
}

// What holds for whatever is accepted.
void ExpectSound(const ByteRange& range) {
  EXPECT_GE(range.begin, 0);
  EXPECT_GT(range.size, 0);
  EXPECT_LE(range.size, kMaxHlsSegmentBytes);
  EXPECT_GT(range.end(), range.begin);
}
void ExpectSound(const HlsResource& resource) {
  EXPECT_FALSE(resource.uri.empty());
  EXPECT_EQ(resource.uri.find_first_of("\r\n"), std::string::npos);
  if (resource.range.has_value()) ExpectSound(*resource.range);
}
void ExpectSound(const HlsMasterPlaylist& playlist) {
  for (const HlsVariant& variant : playlist.variants) {
    EXPECT_FALSE(variant.uri.empty());
    EXPECT_GE(variant.bandwidth, 0);
    EXPECT_GE(std::min(variant.width, variant.height), 0);
    EXPECT_LE(std::max(variant.width, variant.height), INT32_MAX);
  }
  const HlsVariant& picked = PickHlsVariant(playlist, {});
  EXPECT_GE(&picked, &playlist.variants.front());
  EXPECT_LE(&picked, &playlist.variants.back());
}
void ExpectSound(const HlsMediaPlaylist& playlist) {
  EXPECT_GE(playlist.target_duration, absl::Seconds(1));
  EXPECT_LE(playlist.target_duration, absl::Hours(24));
  int64_t least = playlist.first_sequence;
  EXPECT_GE(least, 0);
  for (const HlsSegment& segment : playlist.segments) {
    EXPECT_GE(segment.sequence, least);
    least = segment.sequence + 1;
    ExpectSound(segment.resource);
    if (segment.map.has_value()) ExpectSound(*segment.map);
  }
}

// Whatever a server sends, the answer is a playlist within the bounds or a
// refusal.
TEST(HlsPlaylistTest, DamagedPlaylistsAreReadOrRefused) {
  const std::string good[] = {
      absl::StrCat(
          kHead,
          "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"m\",BYTERANGE=\"8@1\"\n",
          "#EXT-X-BYTERANGE:9@2\n#EXTINF:6,\na\n#EXT-X-DISCONTINUITY\n",
          "#EXTINF:6,\n#EXT-X-BYTERANGE:3\na\n#EXT-X-GAP\n#EXTINF:6,\nb\n",
          "#EXTINF:6,\nc\n#EXT-X-ENDLIST\n"),
      "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x2\nb\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=2,CODECS=\"a,b\"\nc\n"};
  ByteMutator mutator(
      7, {"\n", "\r\n", "\"", ",", "=", "@", ":", "#", "\n#EXTINF:6,\n",
          "\n#EXT-X-BYTERANGE:5\n", "\n#EXT-X-GAP\n", "BYTERANGE=\"1@2\"",
          "\n#EXT-X-KEY:METHOD=NONE\n", "\n#EXT-X-MAP:URI=\"x\"\n",
          "\n#EXT-X-STREAM-INF:RESOLUTION=640x360\nv\n",
          "\n#EXT-X-TARGETDURATION:9\n", "\n#EXT-X-MEDIA-SEQUENCE:3\n"});
  int masters = 0;
  int medias = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = mutator.Mutate(good[i % 2]);
    SCOPED_TRACE(text);
    const absl::StatusOr<HlsPlaylist> playlist = ParseHlsPlaylist(text);
    if (!playlist.ok()) {
      ASSERT_EQ(playlist.status().code(), absl::StatusCode::kInvalidArgument);
      ASSERT_EQ(SourceFailureOf(playlist.status()),
                SourceFailure::kCodecUnsupported);
    } else if (const auto* all = std::get_if<HlsMasterPlaylist>(&*playlist)) {
      ++masters;
      ASSERT_FALSE(all->variants.empty());
      ExpectSound(*all);
    } else {
      ++medias;
      ExpectSound(std::get<HlsMediaPlaylist>(*playlist));
    }
    ASSERT_FALSE(HasFailure());
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(masters, 1000);
  EXPECT_GT(medias, 1000);
  EXPECT_LT(masters + medias, 18'000);
}

}  // namespace
}  // namespace sam3
