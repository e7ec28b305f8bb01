#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pipeline/media/ip_address.h"

namespace sam3 {

enum class UrlScheme { kHttp, kHttps, kRtsp, kRtsps };
inline bool IsRtsp(UrlScheme scheme) {
  return scheme == UrlScheme::kRtsp || scheme == UrlScheme::kRtsps;
}

// A URL that passed the gate, in one canonical spelling.
struct CheckedUrl {
  std::string text;  // without user part and fragment; what is requested
  std::string host;  // lower case, no brackets, no trailing dot
  uint16_t port = 0;
  UrlScheme scheme = UrlScheme::kHttps;
  // Decoded; of a live source alone.
  std::string user;
  std::string password;
  // Of a host that is an address; its rule was checked.
  std::optional<IpAddress> address;

  bool encrypted() const {
    return scheme == UrlScheme::kHttps || scheme == UrlScheme::kRtsps;
  }
  bool rtsp() const { return IsRtsp(scheme); }
};

// Decides which URLs may be fetched, and from which addresses. Knows what the
// operator allows; neither resolves names nor opens sockets, so whoever does
// asks again with every address.
//
// Threads: any; pure. Errors: PERMISSION_DENIED (SOURCE_NOT_ALLOWED), which
// names the rule and never an address that a name resolved to.
class UrlGate {
 public:
  struct Options {
    // Hosts that URLs may name: "images.example.com"; "*.example.com" for all
    // names below; "*" for all. ":8443" behind it allows that port in place of
    // the scheme's own. Such a host is one of https (and http); "rtsp://" or
    // "rtsps://" before it allows that scheme, and no other. Empty refuses
    // every URL.
    std::vector<std::string> hosts;
    // Also http, which anybody on the way can read and change.
    bool allow_http = false;
    // Networks that may be reached although they are not public.
    std::vector<std::string> networks;
  };

  // Refuses every URL.
  UrlGate() = default;

  // INVALID_ARGUMENT with everything that makes no sense.
  static absl::StatusOr<UrlGate> Create(const Options& options);

  // The URL of a file: https, and http where that is allowed.
  absl::StatusOr<CheckedUrl> Check(absl::string_view url) const;

  // The URL of a live source: rtsp and rtsps as well, and it may carry a user
  // and a password.
  absl::StatusOr<CheckedUrl> CheckLive(absl::string_view url) const;

  // Where an answer of `from` sends its reader, by a redirect or in a playlist:
  // never to another family of schemes, never from an encrypted one to one that
  // is not, and the user's name and password go to the same host and port
  // alone.
  absl::StatusOr<CheckedUrl> CheckRedirect(const CheckedUrl& from,
                                           absl::string_view location) const;

  absl::Status CheckAddress(const IpAddress& address) const;

 private:
  struct HostRule {
    std::string name;  // empty is every host
    bool below = false;
    std::optional<uint16_t> port;
    std::optional<UrlScheme> scheme;  // none is https and http
  };

  static std::optional<HostRule> ParseRule(absl::string_view text);
  absl::StatusOr<UrlScheme> SchemeOf(absl::string_view url, bool live) const;
  absl::StatusOr<CheckedUrl> CheckParts(absl::string_view url, bool live) const;
  absl::Status CheckHost(const CheckedUrl& url) const;

  std::vector<HostRule> rules_;
  bool allow_http_ = false;
  std::vector<IpNetwork> networks_;
};

}  // namespace sam3
