// HLS playlists on a real server, good ones and others.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/media/url_failure.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace sam3 {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Peer = ScriptedWebServer::Peer;
using Files = std::map<std::string, std::string>;

constexpr char kHead[] = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n";
constexpr char kPlaylistHead[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n";

// What ffmpeg writes for 50 pictures in five segments, by name; the playlist is
// "index.m3u8".
Files EncodeHls(const std::string& options) {
  const TempFolder folder;
  EncodeClip(
      absl::StrCat("-c:v libx264 -g 10 -sc_threshold 0 -f hls -hls_time 0.4 "
                   "-hls_playlist_type vod ",
                   options, " ", folder / "index.m3u8"));
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    files[entry.path().filename().string()] = ReadText(entry.path().string());
  }
  return files;
}

// "index0.ts" to "index4.ts", of ten pictures each.
const Files& MpegTs() {
  static const Files kFiles = EncodeHls("-bf 0");
  return kFiles;
}

std::string Segment(int index) {
  return MpegTs().at(absl::StrCat("index", index, ".ts"));
}

std::string Entry(const std::string& uri) {
  return absl::StrCat("#EXTINF:0.4,\n", uri, "\n");
}

class HlsSourceTest : public LiveSourceTest {
 protected:
  HlsSourceTest() {
    limits_ = LiveLimits();
    ServeAll("/", MpegTs());
  }

  void ServeAll(const std::string& folder, const Files& files) {
    for (const auto& [name, bytes] : files) server_.Serve(folder + name, bytes);
  }

  absl::StatusOr<std::unique_ptr<LiveConnection>> ConnectTo(
      const std::string& path) {
    return Connect(server_.UrlOf(path), server_.port());
  }

  // How a whole connection to `path` ends.
  absl::Status Play(const std::string& path) {
    auto connection = ConnectTo(path);
    if (!connection.ok()) return connection.status();
    return ReadAll(**connection);
  }

  int RequestsFor(const std::string& path) const {
    const auto requests = server_.requests();
    return static_cast<int>(std::count_if(
        requests.begin(), requests.end(), [&path](const std::string& head) {
          return absl::StartsWith(head, absl::StrCat("GET ", path, " "));
        }));
  }

  ScriptedWebServer server_;
};

TEST_F(HlsSourceTest, ARecordingPlaysWithoutLosingAPicture) {
  EXPECT_THAT(Play("/index.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 50);
  EXPECT_EQ(width_, 128);
  for (size_t i = 1; i < offsets_.size(); ++i) {
    EXPECT_EQ(offsets_[i] - offsets_[i - 1], absl::Milliseconds(40)) << i;
  }
  EXPECT_THAT(discontinuities_, IsEmpty());
  EXPECT_THAT(server_.requests(), SizeIs(6));
  EXPECT_EQ(stalls_, 0);
}

TEST_F(HlsSourceTest, FragmentsFollowTheirMap) {
  ServeAll("/", EncodeHls("-hls_segment_type fmp4"));
  EXPECT_THAT(Play("/index.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 50);
  EXPECT_EQ(RequestsFor("/init.mp4"), 1);
}

TEST_F(HlsSourceTest, PartsOfOneFileAreAskedForAsSuch) {
  const Files files =
      EncodeHls("-hls_segment_type fmp4 -hls_flags single_file");
  server_.Serve("/index.m3u8", files.at("index.m3u8"));
  const std::string& all = files.at("index.m4s");
  server_.On("/index.m4s", [&all](const Peer& peer) {
    const absl::string_view head = peer.head();
    const size_t at = head.find("Range: bytes=");
    ASSERT_NE(at, absl::string_view::npos);
    const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(
        head.substr(at + 13, head.find("\r\n", at) - at - 13), '-');
    size_t begin = 0;
    size_t last = 0;
    ASSERT_TRUE(absl::SimpleAtoi(ends.first, &begin));
    ASSERT_TRUE(absl::SimpleAtoi(ends.second, &last));
    peer.Send(absl::StrCat("HTTP/1.1 206 Partial\r\nContent-Range: bytes ",
                           ends.first, "-", ends.second, "/", all.size(),
                           "\r\n\r\n", all.substr(begin, last - begin + 1)));
  });
  EXPECT_THAT(Play("/index.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 50);
  EXPECT_EQ(RequestsFor("/index.m4s"), 6);
}

TEST_F(HlsSourceTest, OtherPartsThanAskedForAreALoss) {
  const auto answer = [this](const std::string& head, size_t size) {
    server_.On("/part", [head, size](const Peer& peer) {
      peer.Send(absl::StrCat("HTTP/1.1 ", head, "\r\n\r\n",
                             Segment(0).substr(0, size)));
    });
    return Play("/parts");
  };
  const std::string playlist = absl::StrCat(kHead, "#EXT-X-BYTERANGE:1880@0\n",
                                            Entry("part"), "#EXT-X-ENDLIST");
  server_.Serve("/parts", playlist);
  const char* good = "206 Partial\r\nContent-Range: bytes 0-1879/4512";
  EXPECT_THAT(answer(good, 1880), IsOk());
  ExpectFailure(answer("200 OK", 1880), SourceFailure::kConnection);
  ExpectFailure(answer("206 Partial", 1880), SourceFailure::kConnection);
  ExpectFailure(
      answer("206 Partial\r\nContent-Range: bytes 188-2067/4512", 1880),
      SourceFailure::kConnection);
  ExpectFailure(answer(good, 1879), SourceFailure::kConnection);
  ExpectFailure(answer(good, 1881), SourceFailure::kConnection);
}

TEST_F(HlsSourceTest, OfAMasterPlaylistTheBestVariantThatFitsPlays) {
  const std::string master =
      "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1280x960\nhuge/x\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=5,RESOLUTION=128x96\nsmall/index.m3u8?q=1\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=64x48\ntiny/x\n";
  // Told apart by its first bytes: the server says no type.
  server_.Serve("/vod/master.m3u8", master);
  ServeAll("/vod/small/", MpegTs());
  picture_limits_.max_side = 500;
  EXPECT_THAT(Play("/vod/master.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 50);
  EXPECT_EQ(RequestsFor("/vod/small/index.m3u8?q=1"), 1);
}

TEST_F(HlsSourceTest, UrisAreRelativeToWhereThePlaylistWasFound) {
  server_.Redirect("/here/live", "/there/index.m3u8");
  ServeAll("/there/", MpegTs());
  EXPECT_THAT(Play("/here/live"), IsOk());
  EXPECT_EQ(RequestsFor("/there/index4.ts"), 1);
  server_.Serve("/master",
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhere/live\n");
  EXPECT_THAT(Play("/master"), IsOk());
  EXPECT_EQ(RequestsFor("/there/index4.ts"), 2);
}

// A playlist that shows one more segment each time that it is asked for.
class LivePlaylist {
 public:
  // `shown` at first, `window` at most.
  LivePlaylist(ScriptedWebServer& server, int shown, int window)
      : shown_(shown), window_(window) {
    server.On("/live.m3u8", [this](const Peer& peer) {
      peer.Send(absl::StrCat(kPlaylistHead, Text()));
    });
  }

 private:
  std::string Text() {
    const absl::MutexLock lock(&mutex_);
    const int first = std::max(0, shown_ - window_);
    std::string text =
        absl::StrCat(kHead, "#EXT-X-MEDIA-SEQUENCE:", first, "\n");
    for (int i = first; i < std::min(shown_, 5); ++i) {
      absl::StrAppend(&text, Entry(absl::StrCat("index", i, ".ts")));
    }
    // Every other time it has not changed.
    repeats_ = !repeats_;
    if (!repeats_ && ++shown_ > 5) absl::StrAppend(&text, "#EXT-X-ENDLIST\n");
    return text;
  }

  absl::Mutex mutex_;
  int shown_ ABSL_GUARDED_BY(mutex_);
  bool repeats_ ABSL_GUARDED_BY(mutex_) = false;
  const int window_;
};

TEST_F(HlsSourceTest, ALivePlaylistIsFollowedToItsEnd) {
  // What is not due yet is no silence.
  const LivePlaylist playlist(server_, 4, 4);
  EXPECT_THAT(Play("/live.m3u8"), IsOk());
  // From the third segment from the end on, each once.
  EXPECT_EQ(RequestsFor("/index0.ts"), 0);
  for (int i = 1; i < 5; ++i) {
    EXPECT_EQ(RequestsFor(absl::StrCat("/index", i, ".ts")), 1) << i;
  }
  EXPECT_EQ(pictures_, 40);
  EXPECT_THAT(discontinuities_, IsEmpty());
  EXPECT_EQ(stalls_, 0);
}

TEST_F(HlsSourceTest, ALivePlaylistPlaysAsFastAsItWasRecorded) {
  const LivePlaylist playlist(server_, 3, 3);
  auto connection = ConnectTo("/live.m3u8");
  ASSERT_THAT(connection, IsOk());
  const absl::Time begin = clock_.Now();
  absl::Duration offset;
  for (int i = 0; i < 25; ++i) {
    const auto picture = (*connection)->Next();
    ASSERT_THAT(picture, IsOk());
    ASSERT_TRUE(picture->has_value());
    offset = (*picture)->start_offset;
  }
  EXPECT_EQ(offset, absl::Milliseconds(960));
  EXPECT_GE(clock_.Now() - begin, offset);
}

TEST_F(HlsSourceTest, SegmentsThatAreGoneAreAGap) {
  int asked = 0;
  server_.On("/live.m3u8", [&asked](const Peer& peer) {
    peer.Send(absl::StrCat(
        kPlaylistHead, kHead,
        asked++ == 0 ? absl::StrCat(Entry("index0.ts"), Entry("index1.ts"))
                     : absl::StrCat("#EXT-X-MEDIA-SEQUENCE:4\n",
                                    Entry("index4.ts"), "#EXT-X-ENDLIST\n")));
  });
  EXPECT_THAT(Play("/live.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 30);
  EXPECT_THAT(discontinuities_, ElementsAre(20));
}

TEST_F(HlsSourceTest, AnotherRecordingBehindADiscontinuityPlays) {
  const std::string other =
      MakeClip("hls_source_test.ts", "-vf scale=64:48 -c:v libx264 -bf 0");
  const Files fragments = EncodeHls("-hls_segment_type fmp4");
  server_.Serve("/other.ts", other);
  ServeAll("/mp4/", fragments);
  server_.Serve(
      "/mixed.m3u8",
      absl::StrCat(kHead, Entry("index0.ts"), "#EXT-X-DISCONTINUITY\n",
                   Entry("other.ts"), "#EXT-X-MAP:URI=\"mp4/init.mp4\"\n",
                   Entry("mp4/index0.m4s"), Entry("mp4/index1.m4s"),
                   "#EXT-X-ENDLIST"));
  EXPECT_THAT(Play("/mixed.m3u8"), IsOk());
  EXPECT_EQ(pictures_, 80);
  EXPECT_THAT(discontinuities_, ElementsAre(10, 60));
  EXPECT_EQ(offsets_[10], absl::ZeroDuration());
}

TEST_F(HlsSourceTest, WhereAPlaylistLeadsTheGateDecides) {
  ScriptedWebServer forbidden;
  ServeAll("/", MpegTs());
  const auto media = [](const std::string& uri) {
    return absl::StrCat(kHead, Entry(uri), "#EXT-X-ENDLIST");
  };
  server_.Redirect("/away", forbidden.UrlOf("/index0.ts"));
  server_.Redirect("/away.m3u8", forbidden.UrlOf("/index.m3u8"));
  server_.Serve("/redirected", media("away"));
  server_.Serve("/variant_redirected",
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\naway.m3u8\n");
  std::vector<std::string> paths = {"/redirected", "/variant_redirected"};
  for (const std::string& url :
       {forbidden.UrlOf("/index0.ts"), std::string("http://169.254.169.254/"),
        std::string("//127.0.0.2/x"), std::string("file:///etc/passwd"),
        std::string("rtsp://127.0.0.1/"), std::string("http://[::1]/"),
        std::string("concat:a|b"), std::string("data:video/mp4,x")}) {
    const std::string name = absl::StrCat("/", paths.size());
    server_.Serve(name + "segment", media(url));
    server_.Serve(name + "map", absl::StrCat(kHead, "#EXT-X-MAP:URI=\"", url,
                                             "\"\n", Entry("index0.ts")));
    server_.Serve(
        name + "variant",
        absl::StrCat("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", url, "\n"));
    for (const char* kind : {"segment", "map", "variant"}) {
      paths.push_back(name + kind);
    }
  }
  for (const std::string& path : paths) {
    const absl::Status refused = Play(path);
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << path;
    EXPECT_EQ(SourceFailureOf(refused), std::nullopt) << path;
  }
  EXPECT_THAT(forbidden.requests(), IsEmpty());
  EXPECT_EQ(pictures_, 0);
}

TEST_F(HlsSourceTest, WhatIsRefusedInTheMiddleIsCounted) {
  server_.Serve("/late.m3u8", absl::StrCat(kHead, Entry("index0.ts"),
                                           Entry("http://127.0.0.2/index1.ts"),
                                           "#EXT-X-ENDLIST"));
  EXPECT_THAT(Play("/late.m3u8"),
              StatusIs(absl::StatusCode::kPermissionDenied, ""));
  EXPECT_EQ(pictures_, 10);
  EXPECT_EQ(
      metrics_.url_failures[static_cast<size_t>(UrlFailure::kHost)].value(), 1);
}

TEST_F(HlsSourceTest, PasswordsStayWithTheirHost) {
  ScriptedWebServer other;
  other_ports_ = {other.port()};
  const std::string no =
      "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
      "Content-Length: 0\r\n\r\n";
  server_.On("/mine", [&no](const Peer& peer) {
    peer.Send(absl::StrContains(peer.head(), "Authorization: Basic ")
                  ? absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", Segment(0))
                  : no);
  });
  other.On("/theirs", [&no](const Peer& peer) { peer.Send(no); });
  server_.Serve("/both.m3u8",
                absl::StrCat(kHead, Entry("mine"),
                             Entry(other.UrlOf("/theirs")), "#EXT-X-ENDLIST"));
  auto connection =
      Connect(absl::StrCat("http://user:s3cret@127.0.0.1:", server_.port(),
                           "/both.m3u8"),
              server_.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kAuth);
  EXPECT_EQ(pictures_, 10);
  EXPECT_THAT(other.requests(), Not(IsEmpty()));
  EXPECT_THAT(other.requests(), Each(Not(HasSubstr("Authorization"))));
}

TEST_F(HlsSourceTest, AnEncryptedPlaylistIsRefusedAndItsKeyNotAskedFor) {
  server_.Serve("/secret.m3u8",
                absl::StrCat(kHead, "#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n",
                             Entry("index0.ts")));
  const absl::Status refused = Play("/secret.m3u8");
  ExpectFailure(refused, SourceFailure::kCodecUnsupported);
  EXPECT_THAT(refused.message(), HasSubstr("encrypted HLS is not supported"));
  EXPECT_THAT(server_.requests(), SizeIs(1));
}

TEST_F(HlsSourceTest, PlaylistsThatLeadNowhereAreClassed) {
  const auto variant = [](const std::string& uri) {
    return absl::StrCat("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", uri, "\n");
  };
  server_.Serve("/self", variant("self"));
  server_.Serve("/nested", variant("self"));
  server_.Serve("/no_variant", variant("404"));
  server_.Serve("/no_segment", absl::StrCat(kHead, Entry("404")));
  server_.Serve("/no_map", absl::StrCat(kHead, "#EXT-X-MAP:URI=\"404\"\n",
                                        Entry("index0.ts")));
  server_.Serve("/noise", std::string(20'000, 'z'));
  server_.Serve("/no_video",
                absl::StrCat(kHead, Entry("noise"), "#EXT-X-ENDLIST"));
  server_.Serve("/empty", absl::StrCat(kHead, "#EXT-X-ENDLIST"));
  server_.On("/page", [](const Peer& peer) {
    peer.Send(absl::StrCat(kPlaylistHead, "<html>"));
  });
  server_.On("/endless", [](const Peer& peer) {
    peer.Send(kPlaylistHead);
    while (peer.Send("#EXTM3U\n#EXTINF:6,\na.ts\n")) {
    }
  });
  server_.On("/one_line", [](const Peer& peer) {
    peer.Send(absl::StrCat(kPlaylistHead, kHead));
    while (peer.Send(std::string(100'000, 'x'))) {
    }
  });
  const std::pair<const char*, SourceFailure> cases[] = {
      {"/self", SourceFailure::kCodecUnsupported},
      {"/nested", SourceFailure::kCodecUnsupported},
      {"/no_variant", SourceFailure::kNotFound},
      {"/no_segment", SourceFailure::kNotFound},
      {"/no_map", SourceFailure::kNotFound},
      {"/no_video", SourceFailure::kCodecUnsupported},
      {"/empty", SourceFailure::kCodecUnsupported},
      {"/page", SourceFailure::kCodecUnsupported},
      {"/endless", SourceFailure::kCodecUnsupported},
      {"/one_line", SourceFailure::kCodecUnsupported}};
  for (const auto& [path, failure] : cases) {
    const absl::Status status = Play(path);
    ASSERT_FALSE(status.ok()) << path;
    EXPECT_EQ(SourceFailureOf(status), failure) << path << status;
  }
  EXPECT_EQ(pictures_, 0);
}

TEST_F(HlsSourceTest, ASegmentThatIsMissingOrCutIsALoss) {
  server_.Serve("/gone.m3u8", absl::StrCat(kHead, Entry("index0.ts"),
                                           Entry("404"), Entry("index1.ts")));
  ExpectFailure(Play("/gone.m3u8"), SourceFailure::kNotFound);
  EXPECT_EQ(pictures_, 10);
  server_.On("/cut.ts", [](const Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ",
                           Segment(1).size() + 1, "\r\n\r\n", Segment(1)));
  });
  server_.Serve("/cut.m3u8", absl::StrCat(kHead, Entry("index0.ts"),
                                          Entry("cut.ts"), Entry("index2.ts")));
  ExpectFailure(Play("/cut.m3u8"), SourceFailure::kConnection);
  EXPECT_EQ(RequestsFor("/index2.ts"), 0);
}

TEST_F(HlsSourceTest, ASilentSegmentIsToldAndGivenUp) {
  server_.On("/slow.ts", [](const Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
                           Segment(1).substr(0, 188)));
    peer.AwaitGone();
  });
  server_.Serve("/slow.m3u8", absl::StrCat(kHead, Entry("index0.ts"),
                                           Entry("slow.ts"), "#EXT-X-ENDLIST"));
  limits_.stall_after = absl::Milliseconds(50);
  limits_.give_up_after = absl::Milliseconds(200);
  ExpectFailure(Play("/slow.m3u8"), SourceFailure::kTimeout);
  EXPECT_GE(stalls_, 1);
}

TEST_F(HlsSourceTest, ALivePlaylistThatStaysTheSameIsToldOnceAndGivenUp) {
  server_.Serve("/stuck.m3u8", absl::StrCat(kHead, Entry("index0.ts")));
  ExpectFailure(Play("/stuck.m3u8"), SourceFailure::kTimeout);
  EXPECT_EQ(pictures_, 10);
  EXPECT_EQ(stalls_, 1);
  EXPECT_EQ(RequestsFor("/index0.ts"), 1);
  // After 6 s, and then every 3 s until 8 s after the segment was late.
  EXPECT_EQ(RequestsFor("/stuck.m3u8"), 5);
}

TEST_F(HlsSourceTest, CancellingEndsTheWaitForASegment) {
  limits_.give_up_after = absl::InfiniteDuration();
  limits_.picture_timeout = absl::InfiniteDuration();
  server_.Serve("/stuck.m3u8", absl::StrCat(kHead, Entry("index0.ts")));
  source_ = MakeSource(server_.port());
  auto connection =
      source_->Connect(SourceUrl(server_.UrlOf("/stuck.m3u8")), {}, allocator_,
                       context_, [this] { context_.Cancel(); });
  absl::Status status = connection.status();
  if (connection.ok()) status = ReadAll(**connection);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, ""));
}

}  // namespace
}  // namespace sam3
