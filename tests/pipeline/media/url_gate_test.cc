// Which URLs and addresses the gate lets through, as a table.
#include "pipeline/media/url_gate.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "pipeline/media/url_failure.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

UrlGate Gate(std::vector<std::string> hosts, bool allow_http = false,
             std::vector<std::string> networks = {}) {
  absl::StatusOr<UrlGate> gate =
      UrlGate::Create({std::move(hosts), allow_http, std::move(networks)});
  EXPECT_THAT(gate, IsOk());
  return *std::move(gate);
}

std::string NameOf(UrlFailure failure) {
  return std::string(kUrlFailureNames[static_cast<size_t>(failure)]);
}

constexpr auto kSyntax = UrlFailure::kSyntax;
constexpr auto kScheme = UrlFailure::kScheme;
constexpr auto kHost = UrlFailure::kHost;
constexpr auto kPort = UrlFailure::kPort;
constexpr auto kAddress = UrlFailure::kAddress;

struct Probe {
  std::string url;
  // Nothing: it passes.
  std::optional<UrlFailure> refused;
};

// Against a gate that allows every host, over http and https.
const std::vector<Probe>& Probes() {
  static const std::vector<Probe> kProbes = {
      {"https://example.com", {}},
      {"https://example.com/a/b.jpg?size=1&x=%20y", {}},
      {"HTTPS://EXAMPLE.com/A.jpg", {}},
      {"http://example.com/a.jpg", {}},
      {"https://example.com:443/a.jpg", {}},
      {"http://example.com:80/a.jpg", {}},
      {"https://example.com./a.jpg", {}},
      {"https://a_bucket.example.com/a.jpg", {}},
      {"https://xn--bcher-kva.example/a.jpg", {}},
      {"https://example.com/@user/a.jpg", {}},
      {"https://example.com/a.jpg#part", {}},
      {"https://8.8.8.8/a.jpg", {}},
      {"https://[2606:4700::1111]/a.jpg", {}},
      {"https://[64:ff9b::808:808]/a.jpg", {}},
      // One spelling of a public address as a number is the address itself.
      {"https://134744072/a.jpg", {}},
      // This host, by every name of its.
      {"https://127.0.0.1/", kAddress},
      {"https://127.255.255.254/", kAddress},
      {"https://127.1/", kAddress},
      {"https://127.0.1/", kAddress},
      {"https://2130706433/", kAddress},
      {"https://0x7f000001/", kAddress},
      {"https://0x7f.0.0.1/", kAddress},
      {"https://0X7F.1/", kAddress},
      {"https://0177.0.0.1/", kAddress},
      {"https://017700000001/", kAddress},
      {"https://127.0.0.1./", kAddress},
      {"https://0.0.0.0/", kAddress},
      {"https://0/", kAddress},
      {"https://0.1.2.3/", kAddress},
      {"https://[::1]/", kAddress},
      {"https://[::]/", kAddress},
      {"https://[0:0:0:0:0:0:0:1]/", kAddress},
      // Private networks and the metadata services in them.
      {"https://10.0.0.1/", kAddress},
      {"https://10.255.255.255/", kAddress},
      {"https://172.16.0.1/", kAddress},
      {"https://172.31.255.255/", kAddress},
      {"https://172.15.255.255/", {}},
      {"https://172.32.0.0/", {}},
      {"https://192.168.1.1/", kAddress},
      {"https://169.254.169.254/latest/meta-data/", kAddress},
      {"http://169.254.169.254/latest/meta-data/", kAddress},
      {"https://2852039166/", kAddress},
      {"https://0xa9fea9fe/", kAddress},
      {"https://0251.0376.0251.0376/", kAddress},
      {"https://100.64.0.1/", kAddress},
      {"https://100.100.100.200/", kAddress},
      {"https://100.127.255.255/", kAddress},
      {"https://100.128.0.0/", {}},
      {"https://168.63.129.16/", kAddress},
      {"https://[fd00:ec2::254]/", kAddress},
      {"https://[fc00::1]/", kAddress},
      {"https://[fdff:ffff::1]/", kAddress},
      {"https://[fe80::1]/", kAddress},
      {"https://[febf::1]/", kAddress},
      {"https://[fec0::1]/", kAddress},
      // Ranges for other uses.
      {"https://192.0.0.192/", kAddress},
      {"https://192.0.2.1/", kAddress},
      {"https://192.88.99.1/", kAddress},
      {"https://198.18.0.1/", kAddress},
      {"https://198.19.255.255/", kAddress},
      {"https://198.51.100.1/", kAddress},
      {"https://203.0.113.1/", kAddress},
      {"https://224.0.0.1/", kAddress},
      {"https://239.255.255.250/", kAddress},
      {"https://240.0.0.1/", kAddress},
      {"https://255.255.255.255/", kAddress},
      {"https://4294967295/", kAddress},
      {"https://[ff02::1]/", kAddress},
      {"https://[2001:db8::1]/", kAddress},
      {"https://[3fff::1]/", kAddress},
      {"https://[5f00::1]/", kAddress},
      {"https://[100::1]/", kAddress},
      // IPv4 within IPv6.
      {"https://[::ffff:127.0.0.1]/", kAddress},
      {"https://[::ffff:7f00:1]/", kAddress},
      {"https://[::ffff:8.8.8.8]/", kAddress},
      {"https://[::ffff:0:169.254.169.254]/", kAddress},
      {"https://[::127.0.0.1]/", kAddress},
      {"https://[::8.8.8.8]/", kAddress},
      {"https://[64:ff9b::7f00:1]/", kAddress},
      {"https://[64:ff9b::169.254.169.254]/", kAddress},
      {"https://[64:ff9b:1::8.8.8.8]/", kAddress},
      {"https://[2002:7f00:1::]/", kAddress},
      {"https://[2002:808:808::]/", kAddress},
      {"https://[2001:0:808:808::1]/", kAddress},
      {"https://[2001:20::1]/", kAddress},
      // Numbers that are no address.
      {"https://256.256.256.256/", kSyntax},
      {"https://1.2.3.4.5/", kSyntax},
      {"https://08.8.8.8/", kSyntax},
      {"https://0x/", kSyntax},
      {"https://example.com.1/", kSyntax},
      {"https://[::1%25lo]/", kSyntax},
      {"https://[fe80::1%25eth0]/", kSyntax},
      {"https://[127.0.0.1]/", kSyntax},
      {"https://[::1/", kSyntax},
      {"https://[]/", kSyntax},
      {"https://::1/", kPort},
      // Who the host is, is in dispute.
      {"https://user@example.com/", kSyntax},
      {"https://user:password@example.com/", kSyntax},
      {"https://example.com@127.0.0.1/", kSyntax},
      {"https://example.com:443@127.0.0.1/", kSyntax},
      {"https://127.0.0.1#@example.com/", kAddress},
      {"https://127.0.0.1?@example.com/", kAddress},
      {"https://example.com\\@127.0.0.1/", kSyntax},
      {"https:\\\\example.com/", kSyntax},
      {"https://example.com\\.evil.example/", kSyntax},
      {"https://exam\tple.com/", kSyntax},
      {"https://example.com/\r\nHost: evil.example", kSyntax},
      {"https://example.com/\n", kSyntax},
      {"https://example.com/ a.jpg", kSyntax},
      {" https://example.com/", kSyntax},
      {std::string("https://example.com\0.evil.example/", 35), kSyntax},
      {"https://example.com/\x7f", kSyntax},
      {"https://127。0。0。1/", kSyntax},
      {"https://１２７.0.0.1/", kSyntax},
      {"https://bücher.example/", kSyntax},
      {"https://%31%32%37.0.0.1/", kSyntax},
      {"https://example.com%2f@evil.example/", kSyntax},
      {"https://example%2ecom/", kSyntax},
      {"https://example.com;evil.example/", kSyntax},
      {"https://example..com/", kSyntax},
      {"https://.example.com/", kSyntax},
      {"https://example.com../", kSyntax},
      {"https://*/", kSyntax},
      {"https:///", kSyntax},
      {"https:///example.com/", kSyntax},
      {"https://", kSyntax},
      {"https://" + std::string(64, 'a') + ".com/", kSyntax},
      {"https://example.com/" + std::string(8192, 'a'), kSyntax},
      // Ports.
      {"https://example.com:0/", kPort},
      {"https://example.com:22/", kPort},
      {"https://example.com:25/", kPort},
      {"https://example.com:80/", kPort},
      {"http://example.com:443/", kPort},
      {"https://example.com:8443/", kPort},
      {"https://example.com:65536/", kPort},
      {"https://example.com:99999999999/", kPort},
      {"https://example.com:-1/", kPort},
      {"https://example.com:4a3/", kPort},
      {"https://example.com:/", kSyntax},
      // Schemes.
      {"file:///etc/passwd", kScheme},
      {"ftp://example.com/a.jpg", kScheme},
      {"gopher://127.0.0.1:6379/_FLUSHALL", kScheme},
      {"dict://127.0.0.1:11211/stats", kScheme},
      {"data:image/png;base64,AAAA", kScheme},
      {"concat:https://example.com/a|file:///etc/passwd", kScheme},
      {"subfile,,start,0,end,9,,:/etc/passwd", kScheme},
      {"crypto:https://example.com/", kScheme},
      {"tee:/tmp/a", kScheme},
      {"rtmp://example.com/", kScheme},
      {"rtsp://example.com/", kScheme},
      {"udp://224.0.0.1:5000", kScheme},
      {"unix:///run/docker.sock", kScheme},
      {"http+unix://%2frun%2fdocker.sock/", kScheme},
      {"jar:https://example.com!/", kScheme},
      {"view-source:https://example.com/", kScheme},
      {"//example.com/a.jpg", kScheme},
      {"example.com/a.jpg", kScheme},
      {"https:/example.com/a.jpg", kScheme},
      {"https:example.com", kScheme},
      {"/etc/passwd", kScheme},
      {"../a.jpg", kScheme},
      {"a.jpg", kScheme},
      {"", kScheme},
  };
  return kProbes;
}

TEST(UrlGateTest, EveryProbeHasItsVerdict) {
  const UrlGate gate = Gate({"*"}, /*allow_http=*/true);
  EXPECT_GE(Probes().size(), 80u);
  for (const Probe& probe : Probes()) {
    const auto checked = gate.Check(probe.url);
    if (!probe.refused.has_value()) {
      EXPECT_THAT(checked, IsOk()) << probe.url;
      continue;
    }
    ASSERT_FALSE(checked.ok()) << probe.url << " became " << checked->text;
    EXPECT_EQ(NameOf(UrlFailureOf(checked.status()).value()),
              NameOf(*probe.refused))
        << probe.url << ": " << checked.status();
    EXPECT_THAT(checked, StatusIs(absl::StatusCode::kPermissionDenied, ""));
    EXPECT_EQ(ReasonOf(checked.status()), reason::kSourceNotAllowed);
    // The rule, not what it was applied to.
    EXPECT_FALSE(absl::StrContains(checked.status().message(), "127."))
        << probe.url;
  }
}

TEST(UrlGateTest, UrlsGetOneSpelling) {
  const UrlGate gate = Gate({"*"}, /*allow_http=*/true);
  const std::pair<const char*, const char*> spellings[] = {
      {"HTTPS://EXAMPLE.com.:443/A?q#f", "https://example.com:443/A?q"},
      {"http://134744072", "http://8.8.8.8/"},
      {"https://[2606:4700:0::1111]/a/../b", "https://[2606:4700::1111]/b"}};
  for (const auto& [written, canonical] : spellings) {
    const auto checked = gate.Check(written);
    ASSERT_THAT(checked, IsOk()) << written;
    EXPECT_EQ(checked->text, canonical);
  }
  EXPECT_EQ(gate.Check("https://[2606:4700:0::1111]/")->host,
            "2606:4700::1111");
}

TEST(UrlGateTest, HostsAreAllowedByNameByDomainOrAll) {
  const UrlGate gate =
      Gate({"Images.Example.com", "*.cdn.example", "other.example:8443",
            "8.8.4.4", "[2606:4700::1111]:8443"});
  const std::pair<const char*, std::optional<UrlFailure>> urls[] = {
      {"https://images.example.com/", {}},
      {"https://IMAGES.example.com./", {}},
      {"https://a.images.example.com/", kHost},
      {"https://example.com/", kHost},
      {"https://images.example.com.evil.example/", kHost},
      {"https://evilimages.example.com/", kHost},
      {"https://a.cdn.example/", {}},
      {"https://a.b.cdn.example/", {}},
      {"https://cdn.example/", kHost},
      {"https://evilcdn.example/", kHost},
      {"https://other.example:8443/", {}},
      {"https://other.example/", kPort},
      {"https://images.example.com:8443/", kPort},
      {"https://8.8.4.4/", {}},
      {"https://134743044/", {}},
      {"https://8.8.8.8/", kHost},
      {"https://[2606:4700:0:0::1111]:8443/", {}},
      {"http://images.example.com/", kScheme}};
  for (const auto& [url, refused] : urls) {
    const auto checked = gate.Check(url);
    EXPECT_EQ(checked.ok(), !refused.has_value()) << url << checked.status();
    if (refused.has_value() && !checked.ok()) {
      EXPECT_EQ(UrlFailureOf(checked.status()), refused) << url;
    }
  }
}

TEST(UrlGateTest, WithoutHostsNothingIsFetched) {
  const auto checked = UrlGate().Check("https://example.com/a.jpg");
  EXPECT_THAT(checked,
              StatusIs(absl::StatusCode::kPermissionDenied, "fetches no URLs"));
  EXPECT_EQ(UrlFailureOf(checked.status()), UrlFailure::kOff);
}

TEST(UrlGateTest, NetworksOpenWhatIsListedAndNoMore) {
  const UrlGate gate =
      Gate({"*"}, false, {"10.1.0.0/16", "fd12::/64", "127.0.0.1"});
  for (const char* inside : {"10.1.255.255", "fd12::1", "127.0.0.1"}) {
    EXPECT_THAT(gate.CheckAddress(*IpAddress::Parse(inside)), IsOk()) << inside;
  }
  for (const char* outside :
       {"10.2.0.0", "10.0.255.255", "fd12:0:0:1::1", "127.0.0.2", "::1",
        "::ffff:10.1.0.1", "64:ff9b::10.1.0.1", "169.254.169.254"}) {
    EXPECT_THAT(gate.CheckAddress(*IpAddress::Parse(outside)),
                StatusIs(absl::StatusCode::kPermissionDenied, "not public"))
        << outside;
  }
}

TEST(UrlGateTest, RedirectsAreUrlsOfTheirOwn) {
  const UrlGate gate = Gate({"*.example"}, /*allow_http=*/true);
  const CheckedUrl from = *gate.Check("https://a.example/dir/one.jpg?q=1");
  const std::pair<const char*, const char*> good[] = {
      {"two.jpg", "https://a.example/dir/two.jpg"},
      {"/two.jpg?r", "https://a.example/two.jpg?r"},
      {"../two.jpg", "https://a.example/two.jpg"},
      {"//b.example/two.jpg", "https://b.example/two.jpg"},
      {"https://b.example/", "https://b.example/"}};
  for (const auto& [location, url] : good) {
    const auto to = gate.CheckRedirect(from, location);
    ASSERT_THAT(to, IsOk()) << location;
    EXPECT_EQ(to->text, url);
  }
  const std::pair<const char*, UrlFailure> bad[] = {
      {"http://b.example/", UrlFailure::kRedirect},
      {"https://b.example.org/", kHost},
      {"//169.254.169.254/", kHost},
      {"https://b.example:22/", kPort},
      {"//user@b.example/", kSyntax},
      {"\\\\b.example/", kSyntax},
      {"two three.jpg", kSyntax},
      {"file:///etc/passwd", kScheme},
      {"gopher://b.example/", kScheme},
      {"javascript:alert(1)", kSyntax}};
  for (const auto& [location, failure] : bad) {
    const auto to = gate.CheckRedirect(from, location);
    ASSERT_FALSE(to.ok()) << location;
    EXPECT_EQ(UrlFailureOf(to.status()), failure) << location << to.status();
  }
  // Upwards is fine.
  const CheckedUrl plain = *gate.Check("http://a.example/");
  EXPECT_THAT(gate.CheckRedirect(plain, "https://a.example/"), IsOk());
}

TEST(UrlGateTest, LiveSourcesHaveSchemesUnderRulesOfTheirOwn) {
  const UrlGate gate = Gate({"web.example", "rtsp://*.cam.example",
                             "rtsp://one.example:8554", "rtsps://one.example"},
                            /*allow_http=*/true);
  for (const char* url :
       {"https://web.example/", "http://web.example/",
        "rtsp://a.cam.example/live", "rtsp://a.cam.example:554/",
        "rtsp://one.example:8554/x?y", "rtsps://one.example/",
        "RTSP://A.Cam.Example/"}) {
    EXPECT_THAT(gate.CheckLive(url), IsOk()) << url;
  }
  const std::pair<const char*, UrlFailure> bad[] = {
      {"rtsp://web.example/", kHost},      {"https://a.cam.example/", kHost},
      {"rtsps://a.cam.example/", kHost},   {"rtsp://cam.example/", kHost},
      {"rtsp://a.cam.example:80/", kPort}, {"rtsp://one.example/", kPort},
      {"rtspu://a.cam.example/", kScheme}, {"rtmp://a.cam.example/", kScheme},
      {"rtsp:/a.cam.example/", kScheme},   {"udp://a.cam.example/", kScheme}};
  for (const auto& [url, failure] : bad) {
    const auto checked = gate.CheckLive(url);
    ASSERT_FALSE(checked.ok()) << url;
    EXPECT_EQ(UrlFailureOf(checked.status()), failure)
        << url << checked.status();
  }
  // A file has no such scheme, whatever the rules.
  EXPECT_EQ(UrlFailureOf(gate.Check("rtsp://a.cam.example/").status()),
            kScheme);
  EXPECT_EQ(gate.CheckLive("rtsp://a.cam.example/")->port, 554);
  EXPECT_EQ(gate.CheckLive("rtsps://one.example/")->port, 322);
}

TEST(UrlGateTest, UsersOfLiveSourcesAreTakenOutOfTheUrl) {
  const UrlGate gate = Gate({"a.example", "rtsp://a.example"});
  const auto checked =
      gate.CheckLive("rtsp://us%40er:p%3aw%25:x@a.example/live?q=@");
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->user, "us@er");
  EXPECT_EQ(checked->password, "p:w%:x");
  EXPECT_EQ(checked->text, "rtsp://a.example/live?q=@");
  EXPECT_EQ(checked->host, "a.example");
  EXPECT_EQ(gate.CheckLive("https://user@a.example/")->user, "user");
  EXPECT_EQ(gate.CheckLive("https://a.example/@")->user, "");
  const std::pair<const char*, UrlFailure> bad[] = {
      {"rtsp://a.example@b.example/", kHost},
      {"rtsp://x:a.example@b.example/", kHost},
      {"rtsp://a@b@a.example/", kSyntax},
      {"rtsp://a.example:554@b.example/", kHost},
      {"rtsp://a.example\\@b.example/", kSyntax},
      {"rtsp://%@a.example/", kSyntax},
      {"rtsp://%4@a.example/", kSyntax},
      {"rtsp://%zz@a.example/", kSyntax},
      {"rtsp://a%0d%0aX:@a.example/", kSyntax},
      {"rtsp://a:%00@a.example/", kSyntax},
      {"rtsp://a b@a.example/", kSyntax},
      {"rtsp://user@/", kSyntax}};
  for (const auto& [url, failure] : bad) {
    const auto refused = gate.CheckLive(url);
    ASSERT_FALSE(refused.ok()) << url;
    EXPECT_EQ(UrlFailureOf(refused.status()), failure)
        << url << refused.status();
  }
}

TEST(UrlGateTest, RedirectsOfLiveSourcesKeepPasswordsFromOthers) {
  const UrlGate gate =
      Gate({"*", "rtsp://*", "rtsps://*"}, /*allow_http=*/true);
  const CheckedUrl from = *gate.CheckLive("rtsp://user:pw@a.example/one");
  EXPECT_EQ(gate.CheckRedirect(from, "/two")->password, "pw");
  EXPECT_EQ(gate.CheckRedirect(from, "two")->text, "rtsp://a.example/two");
  EXPECT_EQ(gate.CheckRedirect(from, "rtsp://b.example/")->password, "");
  EXPECT_EQ(gate.CheckRedirect(from, "rtsp://b.example/")->user, "");
  EXPECT_THAT(gate.CheckRedirect(from, "rtsps://a.example/"), IsOk());
  for (const char* location :
       {"http://a.example/", "https://a.example/", "file:///etc/passwd",
        "rtsp://user@a.example/"}) {
    EXPECT_THAT(gate.CheckRedirect(from, location),
                StatusIs(absl::StatusCode::kPermissionDenied, ""))
        << location;
  }
  const CheckedUrl encrypted = *gate.CheckLive("rtsps://a.example/");
  EXPECT_THAT(gate.CheckRedirect(encrypted, "rtsp://a.example/"),
              StatusIs(absl::StatusCode::kPermissionDenied, "encrypted"));
  const CheckedUrl web = *gate.CheckLive("http://a.example/");
  EXPECT_THAT(gate.CheckRedirect(web, "rtsp://a.example/"),
              StatusIs(absl::StatusCode::kPermissionDenied, ""));
}

TEST(UrlGateTest, RulesThatMakeNoSenseAreAllTold) {
  const auto gate = UrlGate::Create(
      {{"https://example.com", "", "*.", "a.*.example", "example.com:0",
        "example.com:x", "1.2.3", "ok.example"},
       false,
       {"10.0.0.1/8", "10.0.0.0/33", "fd12::/129", "example.com", "/8",
        "10.0.0.0/8"}});
  EXPECT_THAT(gate, StatusIs(absl::StatusCode::kInvalidArgument, ""));
  for (const char* wrong :
       {"\"https://example.com\"", "\"\"", "\"*.\"", "\"a.*.example\"",
        "\"example.com:0\"", "\"example.com:x\"", "\"1.2.3\"", "\"10.0.0.1/8\"",
        "\"10.0.0.0/33\"", "\"fd12::/129\"", "\"example.com\"", "\"/8\""}) {
    EXPECT_TRUE(absl::StrContains(gate.status().message(), wrong)) << wrong;
  }
  for (const char* right : {"ok.example", "\"10.0.0.0/8\""}) {
    EXPECT_FALSE(absl::StrContains(gate.status().message(), right)) << right;
  }
}

}  // namespace
}  // namespace sam3
