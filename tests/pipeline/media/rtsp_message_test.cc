// What an RTSP server may say, well-formed and not.
#include "pipeline/media/rtsp_message.h"

#include <gmock/gmock.h>

#include <string>
#include <variant>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "pipeline/media/rtsp_authorization.h"
#include "pipeline/media/session_description.h"
#include "pipeline/source_failure.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr size_t kMaxBytes = 1000;

absl::Status ParseError(const std::string& bytes) {
  RtspParser parser(kMaxBytes);
  parser.Append(bytes);
  while (true) {
    const auto item = parser.Next();
    if (!item.ok()) return item.status();
    if (!item->has_value()) return absl::OkStatus();
  }
}

// What a parser makes of `pieces`, and how it fails, for good.
struct Parsed {
  std::vector<RtspItem> items;
  absl::Status status;
};
Parsed ParsePieces(const std::vector<std::string>& pieces, size_t max_bytes) {
  RtspParser parser(max_bytes);
  Parsed parsed;
  for (const std::string& piece : pieces) {
    parser.Append(piece);
    while (true) {
      auto item = parser.Next();
      if (!item.ok()) parsed.status = item.status();
      // Nothing mends what has failed.
      EXPECT_EQ(item.ok(), parsed.status.ok());
      if (!item.ok() || !item->has_value()) break;
      parsed.items.push_back(**std::move(item));
    }
  }
  return parsed;
}

std::vector<std::string> CutEvery(const std::string& bytes, size_t step) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < bytes.size(); at += step) {
    pieces.push_back(bytes.substr(at, step));
  }
  return pieces;
}

std::vector<std::string> TextsOf(const std::vector<RtspItem>& items) {
  std::vector<std::string> texts;
  for (const RtspItem& item : items) {
    if (const auto* packet = std::get_if<InterleavedPacket>(&item)) {
      texts.push_back(absl::StrCat("$", packet->channel, packet->payload));
      continue;
    }
    const auto& message = std::get<RtspMessage>(item);
    texts.push_back(absl::StrCat(message.status, message.method));
    for (const auto& [name, value] : message.headers) {
      absl::StrAppend(&texts.back(), "\n", name, ":", value);
    }
    absl::StrAppend(&texts.back(), "\n\n", message.body);
  }
  return texts;
}

TEST(RtspParserTest, MessagesAndPacketsComeOutHoweverTheyAreCut) {
  const std::string packet =
      absl::StrCat("$", std::string("\x01\x00\x03", 3), "a$b");
  const std::string bytes = absl::StrCat(
      "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\nX-Long: one\r\n",
      " two\r\n\r\nv=0$\n", packet, "\r\n", packet,
      "OPTIONS rtsp://a.example/ RTSP/1.0\ncseq:7\n\n", packet);
  for (size_t step = 1; step <= bytes.size(); ++step) {
    const auto [items, status] = ParsePieces(CutEvery(bytes, step), kMaxBytes);
    EXPECT_THAT(status, IsOk());
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

TEST(RtspParserTest, TheBoundIsTheSameHoweverTheBytesAreCut) {
  const std::string line = "RTSP/1.0 200 OK\r\nA: ";
  for (const size_t size : {kMaxBytes, kMaxBytes + 1}) {
    const std::string message =
        absl::StrCat(line, std::string(size - line.size(), 'a'), "\r\n\r\n");
    for (const size_t step : {size_t{1}, size_t{3}, size, message.size()}) {
      EXPECT_EQ(ParsePieces(CutEvery(message, step), kMaxBytes).status.ok(),
                size == kMaxBytes)
          << size << " " << step;
    }
  }
  // What ends no line is not waited for.
  EXPECT_FALSE(
      ParseError(absl::StrCat(line, std::string(kMaxBytes, '\r'))).ok());
}

// What holds for whatever is accepted.
void ExpectSound(const RtspItem& item, size_t max_bytes) {
  if (const auto* packet = std::get_if<InterleavedPacket>(&item)) {
    EXPECT_GE(packet->channel, 0);
    EXPECT_LE(packet->channel, 255);
    EXPECT_LE(packet->payload.size(), 65'535u);
    return;
  }
  const auto& message = std::get<RtspMessage>(item);
  EXPECT_NE(message.status == 0, message.method.empty());
  EXPECT_TRUE(message.status == 0 ||
              (message.status >= 100 && message.status <= 999));
  size_t bytes = 0;
  for (const auto& [name, value] : message.headers) {
    EXPECT_FALSE(name.empty());
    bytes += name.size() + value.size();
    for (const char c : absl::StrCat(name, value)) {
      EXPECT_TRUE(c == '\t' || static_cast<unsigned char>(c) >= ' ');
    }
  }
  EXPECT_LE(bytes, max_bytes);
  EXPECT_LE(message.body.size(), max_bytes);
  const std::string length = message.Header("content-length");
  size_t told = 0;
  EXPECT_TRUE(length.empty() || absl::SimpleAtoi(length, &told));
  EXPECT_EQ(message.body.size(), told);
}

TEST(RtspParserTest, AnythingAtAllIsTakenApartOrRefused) {
  constexpr size_t kFewBytes = 100;
  const std::string good = absl::StrCat(
      "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nbody$",
      std::string("\x02\x00\x05", 3), "hello\r\n",
      "OPTIONS rtsp://a/ RTSP/1.0\nCSeq: 7\nX: one\n two\n\n");
  ByteMutator mutator(
      1, {"\r\n", "\n", "\r\n\r\n", "\n\n", "$", " ", ":", "RTSP/1.0 ",
          std::string("$\0\0\2ab", 6), "Content-Length: 3\r\n",
          std::string("\0", 1), std::string(60, 'x')});
  int whole = 0;
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    const std::string bytes = mutator.Mutate(good);
    SCOPED_TRACE(testing::PrintToString(bytes));
    const Parsed parsed = ParsePieces({bytes}, kFewBytes);
    for (const RtspItem& item : parsed.items) ExpectSound(item, kFewBytes);
    whole += parsed.items.size() >= 3 ? 1 : 0;
    if (!parsed.status.ok()) {
      ++refused;
      ASSERT_EQ(SourceFailureOf(parsed.status), SourceFailure::kConnection);
    }
    // How the bytes arrive changes nothing.
    const Parsed cut = ParsePieces(mutator.Cut(bytes, 30), kFewBytes);
    ASSERT_EQ(cut.status.ok(), parsed.status.ok())
        << cut.status << parsed.status;
    ASSERT_EQ(TextsOf(cut.items), TextsOf(parsed.items));
    ASSERT_FALSE(HasFailure());
  }
  // The cases are good ones only if many get through and many do not.
  EXPECT_GT(whole, 500);
  EXPECT_GT(refused, 500);
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
