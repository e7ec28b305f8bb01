#include "pipeline/media/url_gate.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

constexpr size_t kMaxUrlBytes = 8192;
constexpr size_t kMaxHostBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

struct CurlUrlFree {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlFree>;

// Empty when the URL has no such part.
std::string PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  std::string out;
  if (curl_url_get(url, part, &text, flags) == CURLUE_OK) out = text;
  curl_free(text);
  return out;
}

absl::Status BadSyntax(absl::string_view what) {
  return UrlFailed(UrlFailure::kSyntax, absl::StrCat("the URL ", what));
}

// What parsers disagree about is refused before any of them sees it.
absl::Status CheckCharacters(absl::string_view text) {
  if (text.size() > kMaxUrlBytes) {
    return BadSyntax(absl::StrCat("has more than ", kMaxUrlBytes, " bytes"));
  }
  for (const char c : text) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '\\') {
      return BadSyntax(
          "must be ASCII without spaces, control characters and backslashes; "
          "percent-encode others and write hosts in punycode");
    }
  }
  return absl::OkStatus();
}

// The part between "//" and the path.
absl::Status CheckAuthority(absl::string_view text) {
  const size_t begin = text.find("//") + 2;
  const absl::string_view authority =
      text.substr(begin, text.find_first_of("/?#", begin) - begin);
  if (authority.empty()) return BadSyntax("names no host");
  if (absl::StrContains(authority, '@')) {
    return BadSyntax("must not carry a user name or password");
  }
  for (const char c : authority) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains(".-_:[]", c)) {
      return BadSyntax(absl::StrCat("has a host with the character '",
                                    absl::string_view(&c, 1), "'"));
    }
  }
  if (authority.back() == ':') return BadSyntax("has a colon without a port");
  return absl::OkStatus();
}

constexpr std::pair<absl::string_view, UrlScheme> kSchemes[] = {
    {"http://", UrlScheme::kHttp},
    {"https://", UrlScheme::kHttps},
    {"rtsp://", UrlScheme::kRtsp},
    {"rtsps://", UrlScheme::kRtsps}};

// libcurl does not know all of them.
uint16_t UsualPort(UrlScheme scheme) {
  switch (scheme) {
    case UrlScheme::kHttp:
      return 80;
    case UrlScheme::kHttps:
      return 443;
    case UrlScheme::kRtsp:
      return 554;
    case UrlScheme::kRtsps:
      return 322;
  }
  return 0;
}

absl::StatusOr<std::string> PercentDecoded(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const absl::string_view digits = text.substr(i + 1, 2);
    if (digits.size() != 2 || !absl::ascii_isxdigit(digits[0]) ||
        !absl::ascii_isxdigit(digits[1])) {
      return BadSyntax("has a user part with a broken percent code");
    }
    out += absl::HexStringToBytes(digits);
    i += 2;
  }
  for (const char c : out) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return BadSyntax("has a user part with control characters");
    }
  }
  return out;
}

// Takes the user part out of `url`; what it said goes to the other two.
absl::Status CutUserPart(std::string* url, std::string* user,
                         std::string* password) {
  const size_t slashes = url->find("//");
  if (slashes == std::string::npos) return absl::OkStatus();
  const size_t begin = slashes + 2;
  const size_t end = std::min(url->find_first_of("/?#", begin), url->size());
  const absl::string_view authority =
      absl::string_view(*url).substr(begin, end - begin);
  const size_t at = authority.find('@');
  if (at == absl::string_view::npos) return absl::OkStatus();
  const absl::string_view part = authority.substr(0, at);
  const size_t colon = part.find(':');
  SAM3_ASSIGN_OR_RETURN(*user, PercentDecoded(part.substr(0, colon)));
  if (colon != absl::string_view::npos) {
    SAM3_ASSIGN_OR_RETURN(*password, PercentDecoded(part.substr(colon + 1)));
  }
  url->erase(begin, at + 1);
  return absl::OkStatus();
}

// The URL standard's rule for what must be an IPv4 address.
bool EndsInANumber(absl::string_view host) {
  const size_t dot = host.rfind('.');
  const absl::string_view last =
      dot == absl::string_view::npos ? host : host.substr(dot + 1);
  for (const char c : last) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      return absl::StartsWith(last, "0x");
    }
  }
  return !last.empty();
}

bool IsHostName(absl::string_view host) {
  if (host.empty() || host.size() > kMaxHostBytes) return false;
  for (const absl::string_view label : absl::StrSplit(host, '.')) {
    if (label.empty() || label.size() > kMaxLabelBytes) return false;
    for (const char c : label) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' &&
          c != '_') {
        return false;
      }
    }
  }
  return true;
}

// Writes the host in its one spelling; sets `address` where it is one.
absl::Status CanonicalHost(absl::string_view text, CheckedUrl* out) {
  if (absl::StartsWith(text, "[")) {
    out->address = IpAddress::Parse(text.substr(1, text.size() - 2));
    if (!out->address.has_value() || out->address->is_v4()) {
      return BadSyntax("has brackets around what is no IPv6 address");
    }
    out->host = out->address->ToString();
    return absl::OkStatus();
  }
  out->host = absl::AsciiStrToLower(absl::StripSuffix(text, "."));
  if (EndsInANumber(out->host)) {
    out->address = IpAddress::Parse(out->host);
    if (!out->address.has_value()) {
      return BadSyntax("has a numeric host that is no address");
    }
    return absl::OkStatus();
  }
  if (!IsHostName(out->host)) return BadSyntax("has a host that is no name");
  return absl::OkStatus();
}

}  // namespace

std::optional<UrlGate::HostRule> UrlGate::ParseRule(absl::string_view text) {
  HostRule rule;
  std::string name = absl::AsciiStrToLower(text);
  for (const auto& [prefix, scheme] : kSchemes) {
    if (!absl::StartsWith(name, prefix)) continue;
    rule.scheme = scheme;
    if (!IsRtsp(scheme)) return std::nullopt;
    name.erase(0, prefix.size());
    break;
  }
  const size_t colon = name.rfind(':');
  // More than one colon is an IPv6 address, whose port follows a bracket.
  if (colon != std::string::npos &&
      (name.find(':') == colon || name[colon - 1] == ']')) {
    int port = 0;
    if (!absl::SimpleAtoi(name.substr(colon + 1), &port) || port < 1 ||
        port > 65535) {
      return std::nullopt;
    }
    rule.port = static_cast<uint16_t>(port);
    name.resize(colon);
  }
  if (name == "*") return rule;
  absl::string_view rest = name;
  rule.below = absl::ConsumePrefix(&rest, "*.");
  if (!rule.below && absl::ConsumePrefix(&rest, "[")) {
    if (!absl::ConsumeSuffix(&rest, "]")) return std::nullopt;
  }
  const std::optional<IpAddress> address = IpAddress::Parse(rest);
  if (address.has_value() && !rule.below) {
    rule.name = address->ToString();
  } else if (IsHostName(rest) && !EndsInANumber(rest)) {
    rule.name = std::string(rest);
  } else {
    return std::nullopt;
  }
  return rule;
}

absl::StatusOr<UrlGate> UrlGate::Create(const Options& options) {
  UrlGate gate;
  std::vector<std::string> violations;
  for (const std::string& host : options.hosts) {
    std::optional<HostRule> rule = ParseRule(host);
    if (rule.has_value()) {
      gate.rules_.push_back(*std::move(rule));
    } else {
      violations.push_back(
          absl::StrCat("\"", host,
                       "\" is no host that URLs can be allowed for; write "
                       "images.example.com, *.example.com or *, with :PORT "
                       "where it is not the usual one, and rtsp:// or "
                       "rtsps:// before it for cameras"));
    }
  }
  for (const std::string& network : options.networks) {
    const std::optional<IpNetwork> parsed = IpNetwork::Parse(network);
    if (parsed.has_value()) {
      gate.networks_.push_back(*parsed);
    } else {
      violations.push_back(absl::StrCat(
          "\"", network, "\" is no network; write 10.1.0.0/16 or fd12::/64"));
    }
  }
  if (!violations.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(violations, "; "));
  }
  gate.allow_http_ = options.allow_http;
  return gate;
}

absl::StatusOr<CheckedUrl> UrlGate::Check(absl::string_view url) const {
  return CheckParts(url, /*live=*/false);
}

absl::StatusOr<CheckedUrl> UrlGate::CheckLive(absl::string_view url) const {
  // Before anything is cut out of it.
  if (!rules_.empty()) SAM3_RETURN_IF_ERROR(CheckCharacters(url));
  std::string rest(url);
  std::string user;
  std::string password;
  SAM3_RETURN_IF_ERROR(CutUserPart(&rest, &user, &password));
  SAM3_ASSIGN_OR_RETURN(CheckedUrl out, CheckParts(rest, /*live=*/true));
  out.user = std::move(user);
  out.password = std::move(password);
  return out;
}

absl::StatusOr<UrlScheme> UrlGate::SchemeOf(absl::string_view url,
                                            bool live) const {
  for (const auto& [prefix, scheme] : kSchemes) {
    if (!absl::StartsWithIgnoreCase(url, prefix)) continue;
    if (scheme == UrlScheme::kHttp && !allow_http_) break;
    if (!live && IsRtsp(scheme)) break;
    return scheme;
  }
  return UrlFailed(UrlFailure::kScheme,
                   absl::StrCat("the URL must begin with https://",
                                allow_http_ ? " or http://" : "",
                                live ? ", rtsp:// or rtsps://" : ""));
}

absl::StatusOr<CheckedUrl> UrlGate::CheckParts(absl::string_view url,
                                               bool live) const {
  if (rules_.empty()) {
    return UrlFailed(UrlFailure::kOff,
                     live ? "this server opens no streams by URL; push the "
                            "bytes"
                          : "this server fetches no URLs; send the bytes");
  }
  SAM3_RETURN_IF_ERROR(CheckCharacters(url));
  CheckedUrl out;
  SAM3_ASSIGN_OR_RETURN(out.scheme, SchemeOf(url, live));
  SAM3_RETURN_IF_ERROR(CheckAuthority(url));
  const CurlUrl parsed(curl_url());
  const CURLUcode code =
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(url).c_str(),
                   CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
  if (code == CURLUE_BAD_PORT_NUMBER) {
    return UrlFailed(UrlFailure::kPort, "the URL's port is none");
  }
  if (code != CURLUE_OK) return BadSyntax("cannot be read");
  SAM3_RETURN_IF_ERROR(
      CanonicalHost(PartOf(parsed.get(), CURLUPART_HOST), &out));
  const std::string given_port = PartOf(parsed.get(), CURLUPART_PORT);
  int port = UsualPort(out.scheme);
  if ((!given_port.empty() && !absl::SimpleAtoi(given_port, &port)) ||
      port < 1 || port > 65535) {
    return UrlFailed(UrlFailure::kPort, "the URL's port is none");
  }
  out.port = static_cast<uint16_t>(port);
  SAM3_RETURN_IF_ERROR(CheckHost(out));
  if (out.address.has_value()) SAM3_RETURN_IF_ERROR(CheckAddress(*out.address));
  const bool v6 = out.address.has_value() && !out.address->is_v4();
  const std::string host = v6 ? absl::StrCat("[", out.host, "]") : out.host;
  curl_url_set(parsed.get(), CURLUPART_FRAGMENT, nullptr, 0);
  if (curl_url_set(parsed.get(), CURLUPART_HOST, host.c_str(), 0) !=
      CURLUE_OK) {
    return BadSyntax("cannot be read");
  }
  out.text = PartOf(parsed.get(), CURLUPART_URL);
  return out;
}

absl::StatusOr<CheckedUrl> UrlGate::CheckRedirect(
    const CheckedUrl& from, absl::string_view location) const {
  SAM3_RETURN_IF_ERROR(CheckCharacters(location));
  const CurlUrl url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, from.text.c_str(),
                   CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, std::string(location).c_str(),
                   CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return BadSyntax("that it leads to cannot be read");
  }
  SAM3_ASSIGN_OR_RETURN(CheckedUrl to,
                        CheckParts(PartOf(url.get(), CURLUPART_URL),
                                   /*live=*/from.rtsp()));
  if (from.rtsp() != to.rtsp()) {
    return UrlFailed(UrlFailure::kRedirect,
                     "a source must not lead from http to rtsp or back");
  }
  if (from.encrypted() && !to.encrypted()) {
    return UrlFailed(UrlFailure::kRedirect,
                     "an encrypted source must not lead to one that is not");
  }
  if (to.host == from.host && to.port == from.port) {
    to.user = from.user;
    to.password = from.password;
  }
  return to;
}

absl::Status UrlGate::CheckHost(const CheckedUrl& url) const {
  bool host_allowed = false;
  for (const HostRule& rule : rules_) {
    const bool matches = rule.name.empty() ||
                         (rule.below ? absl::EndsWith(url.host, "." + rule.name)
                                     : url.host == rule.name);
    const bool same_scheme =
        rule.scheme.has_value() ? url.scheme == *rule.scheme : !url.rtsp();
    if (!matches || !same_scheme) continue;
    host_allowed = true;
    if (url.port == rule.port.value_or(UsualPort(url.scheme))) {
      return absl::OkStatus();
    }
  }
  return host_allowed
             ? UrlFailed(UrlFailure::kPort,
                         absl::StrCat("port ", url.port,
                                      " is not among those that the operator "
                                      "of this server allows for the host"))
             : UrlFailed(UrlFailure::kHost,
                         absl::StrCat("the URL's host is not among those that "
                                      "the operator of this server allows",
                                      url.rtsp() ? " for its scheme" : ""));
}

absl::Status UrlGate::CheckAddress(const IpAddress& address) const {
  for (const IpNetwork& network : networks_) {
    if (network.Contains(address)) return absl::OkStatus();
  }
  if (address.IsPublic()) return absl::OkStatus();
  return UrlFailed(UrlFailure::kAddress,
                   "the URL's host has an address that is not public, and the "
                   "operator of this server does not allow it");
}

}  // namespace sam3
