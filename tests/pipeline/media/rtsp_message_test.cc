// What an RTSP server may say, well-formed and not.
#include "pipeline/media/rtsp_message.h"

#include <gmock/gmock.h>

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "pipeline/media/rtsp_authorization.h"
#include "pipeline/media/session_description.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kMaxBytes = 1000;

// Everything that `bytes` contain, given in pieces of `step`.
std::vector<RtspItem> ParseAll(const std::string& bytes, size_t step) {
  RtspParser parser(kMaxBytes);
  std::vector<RtspItem> items;
  for (size_t at = 0; at < bytes.size(); at += step) {
    parser.Append(bytes.substr(at, step));
    while (true) {
      auto item = parser.Next();
      EXPECT_THAT(item, IsOk());
      if (!item.ok() || !item->has_value()) break;
      items.push_back(**std::move(item));
    }
  }
  return items;
}

absl::Status ParseError(const std::string& bytes) {
  RtspParser parser(kMaxBytes);
  parser.Append(bytes);
  while (true) {
    const auto item = parser.Next();
    if (!item.ok()) return item.status();
    if (!item->has_value()) return absl::OkStatus();
  }
}

TEST(RtspParserTest, MessagesAndPacketsComeOutHoweverTheyAreCut) {
  const std::string packet =
      absl::StrCat("$", std::string("\x01\x00\x03", 3), "a$b");
  const std::string bytes = absl::StrCat(
      "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\nX-Long: one\r\n",
      " two\r\n\r\nv=0$\n", packet, "\r\n", packet,
      "OPTIONS rtsp://a.example/ RTSP/1.0\ncseq:7\n\n", packet);
  for (size_t step = 1; step <= bytes.size(); ++step) {
    const std::vector<RtspItem> items = ParseAll(bytes, step);
    ASSERT_EQ(items.size(), 5u) << step;
    const auto& answer = std::get<RtspMessage>(items[0]);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("cseq"), "3");
    EXPECT_EQ(answer.Header("X-Long"), "one two");
    EXPECT_EQ(answer.Header("Absent"), "");
    EXPECT_EQ(answer.body, "v=0$\n");
    for (const size_t i : {size_t{1}, size_t{2}, size_t{4}}) {
      const auto& media = std::get<InterleavedPacket>(items[i]);
      EXPECT_EQ(media.channel, 1);
      EXPECT_EQ(media.payload, "a$b");
    }
    const auto& request = std::get<RtspMessage>(items[3]);
    EXPECT_EQ(request.method, "OPTIONS");
    EXPECT_EQ(request.Header("CSeq"), "7");
  }
}

TEST(RtspParserTest, WhatIsNoRtspIsRefused) {
  const std::string cases[] = {
      "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\n",
      "RTSP/2.0 200 OK\r\n\r\n",
      "RTSP/1.0\r\n\r\n",
      "RTSP/1.0 OK\r\n\r\n",
      "RTSP/1.0 99 OK\r\n\r\n",
      "RTSP/1.0 -20 OK\r\n\r\n",
      "RTSP/1.0 2000 OK\r\n\r\n",
      "RTSP/1.0 200 OK\r\nno colon\r\n\r\n",
      "RTSP/1.0 200 OK\r\n: no name\r\n\r\n",
      "RTSP/1.0 200 OK\r\n folded at once\r\n\r\n",
      std::string("RTSP/1.0 200 OK\r\nA: \0b\r\n\r\n", 26),
      "RTSP/1.0 200 OK\r\nA: b\rC: d\r\n\r\n",
      "RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n",
      "RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
      "RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "RTSP/1.0 200 OK\r\nContent-Length: 1001\r\n\r\n",
      absl::StrCat("RTSP/1.0 200 OK\r\nA: ", std::string(kMaxBytes, 'a')),
      absl::StrCat("RTSP/1.0 200 OK\r\nA: ", std::string(kMaxBytes, 'a'),
                   "\r\n\r\n"),
      std::string(kMaxBytes + 1, 'x'),
      std::string("\x16\x03\x01\n", 4)};
  for (const std::string& bytes : cases) {
    EXPECT_THAT(ParseError(bytes),
                StatusIs(absl::StatusCode::kFailedPrecondition, ""))
        << bytes.substr(0, 60);
  }
}

TEST(RtspParserTest, AnythingAtAllIsTakenApartOrRefused) {
  // A fixed sequence of pseudo-random edits of a good conversation.
  const std::string good =
      "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nbody"
      "$\x02";
  uint32_t state = 1;
  const auto random = [&state](size_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good + std::string(random(30), '\0') + good;
    for (size_t i = 0; i <= random(4); ++i) {
      bytes[random(bytes.size())] = static_cast<char>(random(256));
    }
    ParseError(bytes).IgnoreError();
  }
}

TEST(RtspParameterTest, NamesAreWholeWords) {
  EXPECT_EQ(RtspParameter("RTP/AVP/TCP;unicast;interleaved=4-5", "interleaved"),
            "4-5");
  EXPECT_EQ(RtspParameter("12345;timeout=60", "timeout"), "60");
  EXPECT_EQ(RtspParameter("12345; Timeout = \"60\" ;a", "timeout"), "60");
  EXPECT_EQ(RtspParameter("12345;xtimeout=60", "timeout"), "");
  EXPECT_EQ(RtspParameter("", "timeout"), "");
}

RtspMessage Challenge(const std::vector<std::string>& values) {
  RtspMessage message;
  message.status = 401;
  for (const std::string& value : values) {
    message.headers.emplace_back("www-authenticate", value);
  }
  return message;
}

TEST(RtspAuthorizationTest, DigestIsThatOfRfc2617WithoutQop) {
  RtspAuthorization authorization("Mufasa", "Circle Of Life");
  EXPECT_EQ(authorization.Header("GET", "/dir/index.html"), "");
  ASSERT_TRUE(authorization.Accept(Challenge(
      {"Basic realm=\"x\"",
       "Digest realm=\"testrealm@host.com\", "
       "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc\""})));
  const std::string header = authorization.Header("GET", "/dir/index.html");
  // MD5(MD5(user:realm:password):nonce:MD5(method:uri)), computed apart.
  EXPECT_THAT(header,
              HasSubstr("response=\"670fd8c2df070c60b045671b8b24ff02\""));
  EXPECT_THAT(header, HasSubstr("opaque=\"5ccc\""));
  EXPECT_THAT(header, Not(HasSubstr("qop")));
  EXPECT_THAT(header, Not(HasSubstr("Circle")));
}

TEST(RtspAuthorizationTest, QopCountsItsUses) {
  RtspAuthorization authorization("u", "p");
  ASSERT_TRUE(authorization.Accept(
      Challenge({"Digest realm=\"a, b\",nonce=\"n\",qop=\"auth-int,auth\","
                 "algorithm=SHA-256"})));
  EXPECT_THAT(authorization.Header("A", "/"), HasSubstr("nc=00000001"));
  const std::string second = authorization.Header("A", "/");
  EXPECT_THAT(second, HasSubstr("nc=00000002"));
  EXPECT_THAT(second, HasSubstr("realm=\"a, b\""));
  EXPECT_THAT(second, HasSubstr("algorithm=SHA-256"));
}

TEST(RtspAuthorizationTest, BasicWhenNothingBetterIsOffered) {
  RtspAuthorization authorization("Aladdin", "open sesame");
  ASSERT_TRUE(authorization.Accept(
      Challenge({"Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess",
                 "Basic realm=\"x\""})));
  EXPECT_EQ(authorization.Header("GET", "/"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(RtspAuthorizationTest, APasswordIsTriedOnceANonce) {
  RtspAuthorization authorization("u", "p");
  const RtspMessage challenge = Challenge({"Digest realm=\"x\",nonce=\"n\""});
  ASSERT_TRUE(authorization.Accept(challenge));
  authorization.Header("A", "/");
  EXPECT_FALSE(authorization.Accept(challenge));
  authorization.Header("A", "/");
  EXPECT_TRUE(authorization.Accept(
      Challenge({"Digest realm=\"x\",nonce=\"m\",stale=TRUE"})));
  EXPECT_FALSE(RtspAuthorization("", "").Accept(challenge));
  EXPECT_FALSE(RtspAuthorization("u", "p").Accept(Challenge({"Bearer"})));
  EXPECT_FALSE(RtspAuthorization("u", "p").Accept(Challenge({})));
}

constexpr char kDescription[] =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=x\r\nc=IN IP4 10.0.0.1\r\n"
    "a=control:*\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:track0\r\n"
    "m=video 0 RTP/AVP 98 96\r\na=rtpmap:98 EVIL/90000\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:98 evil\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
    "a=framerate:25\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track2\r\n";

TEST(FindVideoTest, TheFirstKnownVideoIsDescribedWithoutAddresses) {
  const auto video = FindVideo(kDescription);
  ASSERT_THAT(video, IsOk());
  EXPECT_EQ(video->payload_type, 96);
  EXPECT_EQ(video->control, "track1");
  EXPECT_EQ(video->session_control, "*");
  EXPECT_THAT(video->description, HasSubstr("m=video 0 RTP/AVP 96\r\n"));
  EXPECT_THAT(video->description, HasSubstr("a=fmtp:96 packetization-mode=1"));
  EXPECT_THAT(video->description, HasSubstr("a=framerate:25"));
  for (const char* other : {"10.0.0.1", "EVIL", "evil", "audio", "control"}) {
    EXPECT_THAT(video->description, Not(HasSubstr(other))) << other;
  }
}

TEST(FindVideoTest, MotionJpegNeedsNoMap) {
  const auto video = FindVideo("m=video 0 RTP/AVP 26\n");
  ASSERT_THAT(video, IsOk());
  EXPECT_EQ(video->payload_type, 26);
  EXPECT_EQ(video->control, "");
}

TEST(FindVideoTest, NothingThatCanBeDecodedIsAnError) {
  std::string many = "v=0\n";
  for (int i = 0; i < 1000; ++i)
    absl::StrAppend(&many, "m=audio 0 RTP/AVP 0\n");
  for (const std::string& description :
       {std::string(), many, std::string("m=video"),
        std::string("m=video 0 RTP/SAVP 96\na=rtpmap:96 H264/90000\n"),
        std::string("m=video 0 RTP/AVP 96\n"),
        std::string("m=video 0 RTP/AVP 200\na=rtpmap:200 H264/90000\n"),
        std::string("m=video 0 RTP/AVP 96\na=rtpmap:97 H264/90000\n"),
        std::string("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
                    "a=control:a b\n"),
        absl::StrCat("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 ",
                     std::string(20'000, 'x'))}) {
    EXPECT_THAT(FindVideo(description),
                StatusIs(absl::StatusCode::kInvalidArgument, "no video"))
        << description.substr(0, 60);
  }
}

}  // namespace
}  // namespace sam3
