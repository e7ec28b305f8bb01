// Cameras on real sockets, good ones and others. Loopback is allowed to the
// tests by its network.
#include "pipeline/media/live_source.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pipeline/source_failure.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr char kMultipartHead[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: multipart/x-mixed-replace; boundary=--frame\r\n\r\n";

std::string Part(const std::string& picture) {
  return absl::StrCat("--frame\r\nContent-Type: image/png\r\nContent-Length: ",
                      picture.size(), "\r\n\r\n", picture, "\r\n");
}

// 50 pictures, each one slice.
const std::string& H264() {
  static const std::string kClip = MakeClip(
      "live_source_test.h264",
      "-c:v libx264 -bf 0 -g 10 -x264-params slices=1:sliced-threads=0:"
      "repeat-headers=1 -threads 1");
  return kClip;
}

TEST_F(LiveSourceTest, MultipartPicturesComeOneByOneUntilTheCameraHangsUp) {
  ScriptedWebServer server;
  server.On("/", [](const ScriptedWebServer::Peer& peer) {
    const std::string picture = DrawAreasPng(96, 64, {});
    peer.Send(absl::StrCat(kMultipartHead, Part(picture), Part("broken"),
                           Part(picture), Part(picture)));
  });
  auto connection = Connect(server.UrlOf("/"), server.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kConnection);
  EXPECT_EQ(pictures_, 3);
  EXPECT_EQ(width_, 96);
}

TEST_F(LiveSourceTest, AVideoOfKnownLengthEndsAndOthersBreak) {
  const std::string clip = MakeClip("live_source_test.ts", "-c:v libx264");
  ScriptedWebServer server;
  server.Serve("/file", clip);
  server.On("/live", [&clip](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 200 OK\r\n\r\n", clip));
  });
  server.On("/cut", [&clip](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ",
                           clip.size() + 1, "\r\n\r\n", clip));
  });
  auto file = Connect(server.UrlOf("/file"), server.port());
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(ReadAll(**file), IsOk());
  EXPECT_EQ(pictures_, 50);
  for (const char* path : {"/live", "/cut"}) {
    pictures_ = 0;
    auto live = Connect(server.UrlOf(path), server.port());
    ASSERT_THAT(live, IsOk()) << path;
    ExpectFailure(ReadAll(**live), SourceFailure::kConnection);
    EXPECT_EQ(pictures_, 50) << path;
  }
}

TEST_F(LiveSourceTest, ASilentSourceIsToldOnceAndGivenUp) {
  ScriptedWebServer server;
  server.On("/", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(kMultipartHead, Part(DrawAreasPng(96, 64, {})),
                           "--frame\r\n"));
    peer.AwaitGone();
  });
  auto connection = Connect(server.UrlOf("/"), server.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kTimeout);
  EXPECT_EQ(pictures_, 1);
  EXPECT_EQ(stalls_, 1);
}

TEST_F(LiveSourceTest, TheSilenceBetweenPicturesOfASlowCameraIsNoStall) {
  constexpr int kGaps = 8;
  const absl::Duration gap = 4 * limits_.stall_after;
  limits_.give_up_after = absl::InfiniteDuration();
  ScriptedWebServer server;
  server.On("/", [gap](const ScriptedWebServer::Peer& peer) {
    const std::string part = Part(DrawAreasPng(96, 64, {}));
    peer.Send(absl::StrCat(kMultipartHead, part));
    for (int i = 0; i < kGaps && !peer.GoneWithin(gap); ++i) peer.Send(part);
  });
  auto connection = Connect(server.UrlOf("/"), server.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kConnection);
  EXPECT_EQ(pictures_, kGaps + 1);
  // Two gaps tell how slow it is; a few more may be due to a busy machine.
  EXPECT_GE(stalls_, 2);
  EXPECT_LT(stalls_, kGaps - 2);
}

TEST_F(LiveSourceTest, BytesWithoutPicturesAreGivenUpAsWell) {
  limits_.picture_timeout = absl::Milliseconds(300);
  ScriptedWebServer server;
  server.On("/", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(kMultipartHead, Part(DrawAreasPng(96, 64, {}))));
    while (peer.Send("x")) {
      if (peer.GoneWithin(absl::Milliseconds(10))) return;
    }
  });
  auto connection = Connect(server.UrlOf("/"), server.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kTimeout);
  EXPECT_EQ(stalls_, 0);
}

TEST_F(LiveSourceTest, CancellingEndsWhatWaits) {
  for (absl::Duration* limit : {&limits_.open_timeout, &limits_.give_up_after,
                                &limits_.picture_timeout}) {
    *limit = absl::Minutes(5);
  }
  ScriptedWebServer server;
  server.On("/mute",
            [](const ScriptedWebServer::Peer& peer) { peer.AwaitGone(); });
  server.On("/one", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(kMultipartHead, Part(DrawAreasPng(96, 64, {}))));
    peer.AwaitGone();
  });
  ScriptedCamera camera({.description = DescribeH264(),
                         .packets = PacketizeH264(H264(), 0, 3600),
                         .keeps_connection = true});
  other_ports_ = {camera.port()};
  for (const std::string& url :
       {server.UrlOf("/mute"), server.UrlOf("/one"), camera.Url()}) {
    RequestContext context("", "", absl::InfiniteFuture());
    source_ = MakeSource(server.port());
    std::atomic<bool> waits{false};
    std::thread thread([&] {
      auto connection = source_->Connect(SourceUrl(url), {}, allocator_,
                                         context, [&] { waits = true; });
      absl::Status status = connection.status();
      if (connection.ok()) status = ReadAll(**connection);
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled, "")) << url;
    });
    // Long before it would be given up.
    EXPECT_TRUE(Eventually([&] { return waits.load(); }));
    context.Cancel();
    thread.join();
  }
}

TEST_F(LiveSourceTest, AnswersThatAreNoVideoAreClassed) {
  ScriptedWebServer server;
  const auto answer = [&server](const char* path, const std::string& text) {
    server.On(path, [text](const ScriptedWebServer::Peer& peer) {
      peer.Send(text);
      peer.AwaitGone();
    });
  };
  answer("/401", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
  answer("/403", "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!");
  answer("/404", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
  answer("/500", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
  answer("/text",
         absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n",
                      std::string(20'000, 'z')));
  answer("/sdp",
         absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ",
                      DescribeH264().size(), "\r\n\r\n", DescribeH264()));
  answer("/parts",
         absl::StrCat(kMultipartHead, Part("a"), Part("b"), Part("c"),
                      Part("d"), Part("e"), Part("f"), Part("g"), Part("h")));
  answer("/heads", absl::StrCat("HTTP/1.1 200 OK\r\nA: ",
                                std::string(100'000, 'a'), "\r\n\r\n"));
  answer("/mute", "");
  const std::pair<const char*, SourceFailure> cases[] = {
      {"/401", SourceFailure::kAuth},
      {"/403", SourceFailure::kAuth},
      {"/404", SourceFailure::kNotFound},
      {"/500", SourceFailure::kConnection},
      {"/text", SourceFailure::kCodecUnsupported},
      {"/sdp", SourceFailure::kCodecUnsupported},
      {"/parts", SourceFailure::kCodecUnsupported},
      {"/heads", SourceFailure::kConnection},
      {"/mute", SourceFailure::kTimeout}};
  for (const auto& [path, failure] : cases) {
    const auto connection = Connect(server.UrlOf(path), server.port());
    ASSERT_FALSE(connection.ok()) << path;
    EXPECT_EQ(SourceFailureOf(connection.status()), failure)
        << path << connection.status();
  }
}

TEST_F(LiveSourceTest, NobodyListensIsAFailureToConnect) {
  int port = 0;
  { port = ScriptedWebServer().port(); }
  for (const char* scheme : {"http", "rtsp"}) {
    ExpectFailure(
        Connect(absl::StrCat(scheme, "://127.0.0.1:", port, "/"), port)
            .status(),
        SourceFailure::kConnection);
  }
}

TEST_F(LiveSourceTest, RedirectsGoThroughTheGate) {
  ScriptedWebServer server;
  ScriptedWebServer forbidden;
  server.On("/camera", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(kMultipartHead, Part(DrawAreasPng(96, 64, {}))));
  });
  server.Redirect("/once", "/camera");
  server.Redirect("/loop", "/loop");
  server.Redirect("/out", forbidden.UrlOf("/"));
  server.Redirect("/file", "file:///etc/passwd");
  server.Redirect("/rtsp", absl::StrCat("rtsp://127.0.0.1:", server.port()));
  EXPECT_THAT(Connect(server.UrlOf("/once"), server.port()), IsOk());
  for (const char* path : {"/loop", "/out", "/file", "/rtsp"}) {
    const auto refused = Connect(server.UrlOf(path), server.port());
    EXPECT_THAT(refused, StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << path;
  }
  EXPECT_THAT(forbidden.requests(), testing::IsEmpty());
  // One request, and three redirects that are followed.
  const auto requests = server.requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(),
                          [](const std::string& head) {
                            return absl::StartsWith(head, "GET /loop ");
                          }),
            4);
}

TEST_F(LiveSourceTest, HttpPasswordsStayWithTheirHost) {
  ScriptedWebServer server;
  ScriptedWebServer other;
  other_ports_ = {other.port()};
  server.Redirect("/", other.UrlOf("/"));
  other.On("/", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
        "Content-Length: 0\r\n\r\n");
  });
  const std::string url =
      absl::StrCat("http://user:s3cret@127.0.0.1:", server.port(), "/");
  const auto refused = Connect(url, server.port());
  ExpectFailure(refused.status(), SourceFailure::kAuth);
  EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("s3cret")));
  ASSERT_EQ(other.requests().size(), 1u);
  EXPECT_THAT(other.requests()[0], Not(HasSubstr("Authorization")));
}

TEST_F(LiveSourceTest, AnRtspCameraPlaysWithoutLosingAPicture) {
  // The clock wraps around in the middle.
  ScriptedCamera camera(
      {.user = "user",
       .password = "p:w",
       .description = DescribeH264(),
       .packets = PacketizeH264(H264(), 0xffffffffu - 25 * 3600, 3600)});
  auto connection = Connect(camera.Url("user:p%3Aw"), camera.port());
  ASSERT_THAT(connection, IsOk());
  ExpectFailure(ReadAll(**connection), SourceFailure::kConnection);
  EXPECT_EQ(pictures_, 50);
  EXPECT_EQ(width_, 128);
  for (size_t i = 1; i < offsets_.size(); ++i) {
    EXPECT_EQ(offsets_[i] - offsets_[i - 1], absl::Milliseconds(40)) << i;
  }
  const auto requests = camera.requests();
  EXPECT_THAT(requests, Contains(HasSubstr("SETUP rtsp://169.254.169.254/live/"
                                           "trackID=0 RTSP/1.0")));
  EXPECT_THAT(requests, Contains(HasSubstr("RTP/AVP/TCP;unicast;interleaved")));
  EXPECT_THAT(requests, Not(Contains(HasSubstr("p:w"))));
}

TEST_F(LiveSourceTest, RtspPasswordsAreTriedOnce) {
  ScriptedCamera camera(
      {.user = "user", .password = "right", .description = DescribeH264()});
  const auto refused = Connect(camera.Url("user:wrong"), camera.port());
  ExpectFailure(refused.status(), SourceFailure::kAuth);
  EXPECT_THAT(refused.status().ToString(), Not(HasSubstr("wrong")));
  const auto requests = camera.requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(),
                          [](const std::string& head) {
                            return absl::StrContains(head, "Authorization:");
                          }),
            1);
  ExpectFailure(Connect(camera.Url(), camera.port()).status(),
                SourceFailure::kAuth);
}

TEST_F(LiveSourceTest, RtspRedirectsGoThroughTheGate) {
  ScriptedCamera target({.description = DescribeH264(),
                         .packets = PacketizeH264(H264(), 0, 3600)});
  ScriptedCamera forbidden({.description = DescribeH264()});
  ScriptedCamera camera({.location = target.Url()});
  other_ports_ = {target.port()};
  EXPECT_THAT(Connect(camera.Url(), camera.port()), IsOk());
  for (const std::string& location :
       {camera.Url(), forbidden.Url(), std::string("http://127.0.0.1/"),
        std::string("rtsp://169.254.169.254/"), std::string("file:///etc")}) {
    camera.Behave({.location = location});
    EXPECT_THAT(Connect(camera.Url(), camera.port()),
                StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << location;
  }
  EXPECT_THAT(forbidden.requests(), testing::IsEmpty());
}

TEST_F(LiveSourceTest, RtspServersThatDoNotServeAreClassed) {
  ScriptedCamera camera({});
  const auto fails = [&](ScriptedCamera::Behaviour behaviour,
                         SourceFailure failure) {
    camera.Behave(std::move(behaviour));
    ExpectFailure(Connect(camera.Url(), camera.port()).status(), failure);
  };
  fails({}, SourceFailure::kNotFound);
  fails({.description = "m=audio 0 RTP/AVP 0\r\n"},
        SourceFailure::kCodecUnsupported);
  fails({.description = std::string(10 << 20, 'x')},
        SourceFailure::kConnection);
  fails({.description = DescribeH264(),
         .transport = "RTP/AVP;unicast;source=169.254.169.254;"
                      "server_port=53-54"},
        SourceFailure::kConnection);
  fails({.garbage = "HTTP/1.1 400 Bad Request\r\n\r\n"},
        SourceFailure::kConnection);
  fails({.garbage = std::string(200'000, 'x')}, SourceFailure::kConnection);
  // Answers to other questions.
  fails({.garbage = "RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n"},
        SourceFailure::kTimeout);
  // Plays, and sends nothing or garbage.
  fails({.description = DescribeH264(), .keeps_connection = true},
        SourceFailure::kTimeout);
  fails({.description = DescribeH264(),
         .packets = std::vector<std::string>(50, std::string(100, '\x80'))},
        SourceFailure::kConnection);
}

TEST_F(LiveSourceTest, AnRtspSessionIsKeptAliveAndTakenDown) {
  limits_ = LiveLimits();
  ScriptedCamera camera({.description = DescribeH264(),
                         .session = "abc;timeout=2",
                         .packets = PacketizeH264(H264(), 0, 3600),
                         .pace_milliseconds = 50,
                         .keeps_connection = true});
  auto connection = Connect(camera.Url(), camera.port());
  ASSERT_THAT(connection, IsOk());
  std::thread reader([&] { ReadAll(**connection).IgnoreError(); });
  const auto count = [&camera](const char* method) {
    const auto requests = camera.requests();
    return std::count_if(requests.begin(), requests.end(),
                         [method](const std::string& head) {
                           return absl::StartsWith(head, method) &&
                                  absl::StrContains(head, "Session: abc\r\n");
                         });
  };
  EXPECT_TRUE(Eventually([&] { return count("OPTIONS") >= 2; }));
  context_.Cancel();
  reader.join();
  connection->reset();
  EXPECT_TRUE(Eventually([&] { return count("TEARDOWN") == 1; }));
}

TEST_F(LiveSourceTest, WhatTheGateRefusesIsNeverConnectedTo) {
  ScriptedCamera camera({.description = DescribeH264()});
  source_ = MakeSource(camera.port() == 1 ? 2 : 1);
  for (const std::string& url :
       {camera.Url(), std::string("rtsp://127.0.0.1/"),
        std::string("rtmp://127.0.0.1/"), std::string("rtsps://127.0.0.1/")}) {
    EXPECT_THAT(source_->Check(SourceUrl(url)),
                StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << url;
    EXPECT_THAT(
        source_->Connect(SourceUrl(url), {}, allocator_, context_, [] {}),
        StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << url;
  }
  EXPECT_THAT(camera.requests(), testing::IsEmpty());
}

}  // namespace
}  // namespace sam3
