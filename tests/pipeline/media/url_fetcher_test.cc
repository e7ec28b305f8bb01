// Downloads from servers that behave badly, on real sockets. Loopback is
// allowed to the tests by its network.
#include "pipeline/media/url_fetcher.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pipeline/media/url_failure.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kOkHead[] = "HTTP/1.1 200 OK\r\n";

// Names and what they mean, which a test can change at any time.
class ScriptedResolver final : public HostResolver {
 public:
  absl::StatusOr<std::vector<IpAddress>> Resolve(
      const std::string& host, absl::Time /*deadline*/,
      const RequestContext& /*context*/) const override {
    ++lookups_;
    std::vector<IpAddress> out;
    for (const std::string& text : answers[host]) {
      out.push_back(IpAddress::Parse(text).value());
    }
    if (out.empty()) return UrlFailed(UrlFailure::kResolve, "unknown");
    return out;
  }

  mutable std::map<std::string, std::vector<std::string>> answers;
  mutable int lookups_ = 0;
};

std::string NameOf(UrlFailure failure) {
  return std::string(kUrlFailureNames[static_cast<size_t>(failure)]);
}

class UrlFetcherTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Fetch(const std::string& url) {
    auto gate = UrlGate::Create({hosts_, /*allow_http=*/true, networks_});
    EXPECT_THAT(gate, IsOk());
    const UrlFetcher fetcher(options_, *std::move(gate), resolver_, clock_,
                             metrics_);
    return fetcher.Fetch(SourceUrl(url), context_);
  }
  absl::StatusOr<std::string> FetchPath(absl::string_view path) {
    return Fetch(server_.UrlOf(path));
  }

  void ExpectFailure(const absl::StatusOr<std::string>& body,
                     UrlFailure failure, absl::string_view part) {
    ASSERT_FALSE(body.ok());
    const auto told = UrlFailureOf(body.status());
    ASSERT_TRUE(told.has_value()) << body.status();
    EXPECT_EQ(NameOf(*told), NameOf(failure)) << body.status();
    EXPECT_THAT(std::string(body.status().message()),
                HasSubstr(std::string(part)));
    EXPECT_GT(metrics_.url_failures[static_cast<size_t>(failure)].value(), 0);
  }

  ScriptedWebServer server_;
  ScriptedResolver resolver_;
  RealClock clock_;
  PipelineMetrics metrics_;
  UrlFetcher::Options options_;
  std::vector<std::string> hosts_ = {absl::StrCat("*:", server_.port())};
  std::vector<std::string> networks_ = {"127.0.0.1"};
  RequestContext context_{"", "", absl::InfiniteFuture()};
};

TEST_F(UrlFetcherTest, BringsTheBytes) {
  const std::string picture(100'000, '\xd8');
  server_.Serve("/a.jpg", picture);
  EXPECT_EQ(FetchPath("/a.jpg?size=1#part").value(), picture);
  EXPECT_THAT(
      server_.requests(),
      ElementsAre(testing::StartsWith("GET /a.jpg?size=1 HTTP/1.1\r\n")));
  EXPECT_EQ(metrics_.fetch_seconds.Read().count, 1);
}

TEST_F(UrlFetcherTest, TellsNothingAboutThisMachine) {
  const std::string home = testing::TempDir();
  std::ofstream(home + "/.netrc") << "machine 127.0.0.1 login u password p\n";
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"http_proxy", "http://127.0.0.1:9"},
                                          {"all_proxy", "http://127.0.0.1:9"},
                                          {"HOME", home}}) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  server_.On("/a.jpg", [](const ScriptedWebServer::Peer& peer) {
    peer.Send(
        "HTTP/1.1 302 Found\r\nSet-Cookie: a=b; Path=/\r\n"
        "Location: /b.jpg\r\nContent-Length: 0\r\n\r\n");
  });
  server_.Serve("/b.jpg", "picture");
  EXPECT_EQ(FetchPath("/a.jpg").value(), "picture");
  for (const char* name : {"http_proxy", "all_proxy"}) ::unsetenv(name);
  ASSERT_THAT(server_.requests(), SizeIs(2));
  for (const std::string& request : server_.requests()) {
    std::vector<std::string> names;
    for (const absl::string_view line : absl::StrSplit(request, "\r\n")) {
      const size_t colon = line.find(':');
      if (colon != absl::string_view::npos && !absl::StartsWith(line, "GET ")) {
        names.emplace_back(line.substr(0, colon));
      }
    }
    EXPECT_THAT(names, ElementsAre("Host", "User-Agent", "Accept")) << request;
  }
}

TEST_F(UrlFetcherTest, TooManyBytesAreNotReadToTheEnd) {
  options_.max_bytes = 1'000'000;
  // Scripts may go on for a moment when their client has gone.
  const auto sent = std::make_shared<std::atomic<int64_t>>(0);
  const auto pour = [sent](const ScriptedWebServer::Peer& peer,
                           const std::string& head, bool chunked) {
    const std::string block(65'536, 'x');
    peer.Send(absl::StrCat(kOkHead, head, "\r\n"));
    for (*sent = 0; *sent < int64_t{1} << 30; *sent += 65'536) {
      if (!peer.Send(chunked ? absl::StrCat("10000\r\n", block, "\r\n")
                             : block)) {
        return;
      }
    }
  };
  server_.On("/told", [pour](const auto& peer) {
    pour(peer, "Content-Length: 1073741824\r\n", false);
  });
  server_.On("/chunked", [pour](const auto& peer) {
    pour(peer, "Transfer-Encoding: chunked\r\n", true);
  });
  server_.On("/untold", [pour](const auto& peer) { pour(peer, "", false); });
  for (const char* path : {"/told", "/chunked", "/untold"}) {
    const auto body = FetchPath(path);
    ExpectFailure(body, UrlFailure::kTooLarge, "more than 1000000 bytes");
    EXPECT_THAT(body, StatusIs(absl::StatusCode::kResourceExhausted, ""));
    EXPECT_EQ(ReasonOf(body.status()), reason::kMediaTooLarge);
    // What fits into the sockets' buffers may be under way.
    EXPECT_LT(*sent, 64 << 20) << path;
  }
  server_.Serve("/exact", std::string(1'000'000, 'x'));
  EXPECT_THAT(FetchPath("/exact"), IsOk());
}

TEST_F(UrlFetcherTest, NothingIsDecompressed) {
  const std::string packed = "\x1f\x8b\x08 not really";
  server_.On("/content", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(
        kOkHead, "Content-Encoding: gzip\r\nContent-Length: ", packed.size(),
        "\r\n\r\n", packed));
  });
  EXPECT_EQ(FetchPath("/content").value(), packed);
  server_.On("/transfer", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(kOkHead, "Transfer-Encoding: gzip\r\n\r\n", packed));
  });
  ExpectFailure(FetchPath("/transfer"), UrlFailure::kBroken, "compressed");
}

TEST_F(UrlFetcherTest, SilenceEndsIt) {
  options_.idle_timeout = absl::Milliseconds(50);
  server_.On("/no-answer", [](const auto& peer) { peer.AwaitGone(); });
  server_.On("/no-more", [](const auto& peer) {
    peer.Send(absl::StrCat(kOkHead, "Content-Length: 100\r\n\r\nabc"));
    peer.AwaitGone();
  });
  for (const char* path : {"/no-answer", "/no-more"}) {
    ExpectFailure(FetchPath(path), UrlFailure::kIdle, "nothing came for 50ms");
  }
}

TEST_F(UrlFetcherTest, ADripDoesNotOutliveTheTimeLimit) {
  options_.total_timeout = absl::Milliseconds(300);
  const auto drip = [](const ScriptedWebServer::Peer& peer,
                       const std::string& head, const std::string& drop) {
    peer.Send(head);
    while (!peer.GoneWithin(absl::Milliseconds(10))) peer.Send(drop);
  };
  server_.On("/body", [&](const auto& peer) {
    drip(peer, absl::StrCat(kOkHead, "Content-Length: 100000\r\n\r\n"), "x");
  });
  server_.On("/head",
             [&](const auto& peer) { drip(peer, kOkHead, "X: y\r\n"); });
  for (const char* path : {"/body", "/head"}) {
    const auto body = FetchPath(path);
    ExpectFailure(body, UrlFailure::kTimeout, "within 300ms");
    EXPECT_THAT(body, StatusIs(absl::StatusCode::kFailedPrecondition, ""));
    EXPECT_EQ(ReasonOf(body.status()), reason::kMediaUnreachable);
  }
}

TEST_F(UrlFetcherTest, HeadersAreBounded) {
  for (const auto& [path, lines, size] : {std::tuple{"/many", 100, 65'536},
                                          {"/small", 100'000, 10},
                                          {"/endless", 1, 10'000'000}}) {
    server_.On(path, [lines = lines, size = size](const auto& peer) {
      peer.Send(kOkHead);
      for (int i = 0; i < lines; ++i) {
        if (!peer.Send(
                absl::StrCat("X-", i, ": ", std::string(size, 'x'), "\r\n"))) {
          return;
        }
      }
      peer.Send("Content-Length: 1\r\n\r\nx");
    });
    ExpectFailure(FetchPath(path), UrlFailure::kBroken, "");
  }
  server_.On("/interim", [](const auto& peer) {
    while (peer.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
    }
  });
  ExpectFailure(FetchPath("/interim"), UrlFailure::kBroken, "headers");
}

TEST_F(UrlFetcherTest, FollowsThreeRedirects) {
  for (int i = 0; i < 5; ++i) {
    server_.Redirect(absl::StrCat("/", i), absl::StrCat("/", i + 1));
  }
  server_.Serve("/5", "picture");
  EXPECT_EQ(FetchPath("/2").value(), "picture");
  ExpectFailure(FetchPath("/1"), UrlFailure::kRedirect, "more than 3");
  server_.Redirect("/self", "/self");
  ExpectFailure(FetchPath("/self"), UrlFailure::kRedirect, "more than 3");
}

TEST_F(UrlFetcherTest, ARedirectIsCheckedLikeAUrl) {
  const std::string port = absl::StrCat(":", server_.port());
  resolver_.answers["inside.example"] = {"10.0.0.1"};
  const std::tuple<std::string, UrlFailure> places[] = {
      {"http://169.254.169.254" + port + "/", UrlFailure::kAddress},
      {"http://[::1]" + port + "/", UrlFailure::kAddress},
      {"http://127.0.0.2" + port + "/", UrlFailure::kAddress},
      {"http://2130706434" + port + "/", UrlFailure::kAddress},
      {"http://inside.example" + port + "/", UrlFailure::kAddress},
      {"//10.0.0.1" + port + "/", UrlFailure::kAddress},
      {"http://127.0.0.1:22/", UrlFailure::kPort},
      {"http://127.0.0.1/", UrlFailure::kPort},
      {"http://u:p@127.0.0.1" + port + "/", UrlFailure::kSyntax},
      {"http://127.0.0.1" + port + "/\\evil", UrlFailure::kSyntax},
      {"file:///etc/passwd", UrlFailure::kScheme},
      {"ftp://127.0.0.1/", UrlFailure::kScheme},
      {"data:image/png;base64,AAAA", UrlFailure::kSyntax}};
  for (const auto& [place, failure] : places) {
    server_.Redirect("/a.jpg", place);
    const auto body = FetchPath("/a.jpg");
    ExpectFailure(body, failure, "");
    EXPECT_THAT(body, StatusIs(absl::StatusCode::kPermissionDenied, ""));
    for (const char* inside : {"10.0.0.1", "169.254", "127.0.0.2", "::1"}) {
      EXPECT_THAT(std::string(body.status().message()), Not(HasSubstr(inside)));
    }
  }
  EXPECT_THAT(server_.requests(), SizeIs(std::size(places)));
}

TEST_F(UrlFetcherTest, OtherWaysToSendAReaderOnAreIgnored) {
  server_.On("/refresh", [](const auto& peer) {
    peer.Send(absl::StrCat(kOkHead,
                           "Refresh: 0; url=/other\r\nLocation: /other\r\n"
                           "Link: </other>; rel=canonical\r\n"
                           "Content-Length: 4\r\n\r\nbody"));
  });
  EXPECT_EQ(FetchPath("/refresh").value(), "body");
  for (const char* line :
       {"300 Multiple Choices", "304 Not Modified", "305 Use Proxy",
        "401 Unauthorized", "404 Not Found", "500 Oops", "204 No Content",
        "206 Partial Content"}) {
    server_.On("/status", [line](const auto& peer) {
      peer.Send(absl::StrCat("HTTP/1.1 ", line,
                             "\r\nLocation: /other\r\nRefresh: 0; url=/other"
                             "\r\nConnection: close\r\n\r\n"));
    });
    ExpectFailure(FetchPath("/status"), UrlFailure::kStatus,
                  absl::StrCat("answered ", std::string(line, 3)));
  }
  server_.On("/nowhere", [](const auto& peer) {
    peer.Send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
  });
  ExpectFailure(FetchPath("/nowhere"), UrlFailure::kStatus, "answered 302");
}

TEST_F(UrlFetcherTest, TheBodyOfAFailureIsNotRead) {
  // The script may go on for a moment when its client has gone.
  const auto sent = std::make_shared<std::atomic<int64_t>>(0);
  server_.On("/404", [sent](const auto& peer) {
    peer.Send("HTTP/1.1 404 Not Found\r\n\r\n");
    while (*sent < int64_t{1} << 30 && peer.Send(std::string(65'536, 'x'))) {
      *sent += 65'536;
    }
  });
  ExpectFailure(FetchPath("/404"), UrlFailure::kStatus, "answered 404");
  EXPECT_LT(*sent, 64 << 20);
}

TEST_F(UrlFetcherTest, AllAddressesOfANameMustPass) {
  server_.Serve("/a.jpg", "picture");
  const std::string url =
      absl::StrCat("http://name.example:", server_.port(), "/a.jpg");
  resolver_.answers["name.example"] = {"127.0.0.1"};
  EXPECT_EQ(Fetch(url).value(), "picture");
  EXPECT_THAT(server_.requests().back(),
              HasSubstr(absl::StrCat("Host: name.example:", server_.port())));
  for (const char* bad : {"10.0.0.1", "169.254.169.254", "::1", "fd00::1",
                          "127.0.0.2", "64:ff9b::10.0.0.1"}) {
    resolver_.answers["name.example"] = {"127.0.0.1", bad};
    const auto body = Fetch(url);
    ExpectFailure(body, UrlFailure::kAddress, "not public");
    EXPECT_THAT(std::string(body.status().message()), Not(HasSubstr(bad)));
  }
  EXPECT_THAT(server_.requests(), SizeIs(1));
  resolver_.answers["name.example"] = {};
  ExpectFailure(Fetch(url), UrlFailure::kResolve, "unknown");
}

TEST_F(UrlFetcherTest, ANameIsResolvedOnceForEachRequest) {
  const std::string host = absl::StrCat("http://name.example:", server_.port());
  resolver_.answers["name.example"] = {"127.0.0.1"};
  // The name changes its meaning between the two requests.
  server_.On("/a.jpg", [&](const auto& peer) {
    resolver_.answers["name.example"] = {"10.0.0.1"};
    peer.Send(absl::StrCat("HTTP/1.1 302 Found\r\nLocation: ", host,
                           "/b.jpg\r\nContent-Length: 0\r\n\r\n"));
  });
  ExpectFailure(Fetch(host + "/a.jpg"), UrlFailure::kAddress, "not public");
  EXPECT_EQ(resolver_.lookups_, 2);
  EXPECT_THAT(server_.requests(), SizeIs(1));
}

TEST_F(UrlFetcherTest, MessagesKeepSecretsAndAddresses) {
  resolver_.answers["name.example"] = {"127.0.0.1"};
  server_.On("/a.jpg", [](const auto&) {});
  const std::string port = absl::StrCat(":", server_.port());
  for (const std::string& url : std::vector<std::string>{
           "http://name.example" + port + "/a.jpg?token=hunter2#hunter2",
           "http://name.example" + port + "/none.jpg?token=hunter2",
           "http://name.example:1/a.jpg?token=hunter2",
           "http://hunter2:hunter2@name.example" + port + "/a.jpg",
           "http://hunter2@name.example\\/a.jpg", "hunter2@nothing"}) {
    const auto body = Fetch(url);
    ASSERT_FALSE(body.ok());
    const std::string told = body.status().ToString();
    EXPECT_THAT(told, Not(HasSubstr("hunter2")));
    EXPECT_THAT(told, Not(HasSubstr("127.0.0.1")));
  }
  EXPECT_THAT(
      std::string(Fetch("http://name.example:1/a.jpg?q=1").status().message()),
      HasSubstr("http://name.example:1/a.jpg: "));
}

TEST_F(UrlFetcherTest, NobodyListens) {
  const int port = [] {
    const ScriptedWebServer gone;
    return gone.port();
  }();
  hosts_ = {absl::StrCat("*:", port)};
  const auto body = Fetch(absl::StrCat("http://127.0.0.1:", port, "/"));
  ExpectFailure(body, UrlFailure::kConnect, "connect");
}

TEST_F(UrlFetcherTest, NotWantedAnyMore) {
  server_.On("/a.jpg", [this](const auto& peer) {
    context_.Cancel();
    peer.AwaitGone();
  });
  EXPECT_THAT(FetchPath("/a.jpg"),
              StatusIs(absl::StatusCode::kCancelled, "client"));
}

TEST_F(UrlFetcherTest, AHandshakeThatNobodyAnswers) {
  options_.idle_timeout = absl::Milliseconds(50);
  ExpectFailure(Fetch(absl::StrCat("https://127.0.0.1:", server_.port(), "/")),
                UrlFailure::kIdle, "nothing came for 50ms");
}

// A name server that never answers.
class SilentNameServer {
 public:
  SilentNameServer() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, any, size), 0);
    EXPECT_EQ(::getsockname(socket_, any, &size), 0);
    name_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~SilentNameServer() { ::close(socket_); }
  const std::string& name() const { return name_; }
  void AwaitQuestion() const {
    char byte = 0;
    EXPECT_GT(::recv(socket_, &byte, 1, 0), 0);
  }

 private:
  const int socket_;
  std::string name_;
};

TEST(HostResolverTest, SilenceEndsAtTheDeadline) {
  const SilentNameServer silent;
  RealClock clock;
  const auto resolver = MakeDnsResolver(silent.name(), clock);
  const RequestContext context("", "", absl::InfiniteFuture());
  const absl::Time start = clock.Now();
  const auto found = resolver->Resolve(
      "name.example", start + absl::Milliseconds(200), context);
  EXPECT_THAT(found,
              StatusIs(absl::StatusCode::kFailedPrecondition, "time limit"));
  EXPECT_EQ(UrlFailureOf(found.status()), UrlFailure::kTimeout);
}

TEST(HostResolverTest, NotWantedAnyMore) {
  const SilentNameServer silent;
  RealClock clock;
  const auto resolver = MakeDnsResolver(silent.name(), clock);
  RequestContext context("", "", absl::InfiniteFuture());
  std::thread client([&] {
    silent.AwaitQuestion();
    context.Cancel();
  });
  EXPECT_THAT(
      resolver->Resolve("name.example", absl::InfiniteFuture(), context),
      StatusIs(absl::StatusCode::kCancelled, "client"));
  client.join();
}

TEST(HostResolverTest, TheHostsFileIsRead) {
  RealClock clock;
  const auto resolver = MakeDnsResolver("", clock);
  const RequestContext context("", "", absl::InfiniteFuture());
  const auto found =
      resolver->Resolve("localhost", absl::InfiniteFuture(), context);
  ASSERT_THAT(found, IsOk());
  EXPECT_THAT(*found, testing::Contains(*IpAddress::Parse("127.0.0.1")));
}

}  // namespace
}  // namespace sam3
