#include "pipeline/media/url_fetcher.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

constexpr int64_t kHttpOk = 200;
// That are tried; a name server may tell thousands.
constexpr size_t kMaxAddresses = 8;

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool IsRedirect(int64_t code) {
  return code == 301 || code == 302 || code == 303 || code == 307 ||
         code == 308;
}

uint16_t PortOf(const curl_sockaddr& address) {
  // The port is at the same place for both families.
  uint16_t port = 0;
  std::copy_n(address.addr.sa_data, sizeof(port),
              reinterpret_cast<char*>(&port));
  return ntohs(port);
}

absl::Status TooLarge(int64_t limit) {
  return UrlFailed(UrlFailure::kTooLarge,
                   absl::StrCat("the file has more than ", limit, " bytes"));
}

absl::Status TimeIsOver(absl::Duration limit) {
  return UrlFailed(UrlFailure::kTimeout,
                   absl::StrCat("the file did not come within ",
                                absl::FormatDuration(limit)));
}

absl::Status Silence(absl::Duration limit) {
  return UrlFailed(
      UrlFailure::kIdle,
      absl::StrCat("nothing came for ", absl::FormatDuration(limit)));
}

}  // namespace

// One request to one host, and what libcurl calls while it lasts.
class UrlFetcher::Transfer {
 public:
  // What is borrowed must outlive the transfer.
  Transfer(const Options& options, const CheckedUrl& url,
           const std::vector<IpAddress>& addresses, absl::Time deadline,
           const RequestContext& context, Clock& clock)
      : options_(options),
        url_(url),
        addresses_(addresses),
        context_(context),
        clock_(clock),
        last_progress_(clock.Now()),
        time_left_(deadline - last_progress_),
        curl_(curl_easy_init()) {}

  // OK when the host gave an answer, whichever.
  absl::Status Run() {
    if (curl_ == nullptr) return absl::ResourceExhaustedError("no memory");
    if (time_left_ <= absl::ZeroDuration()) {
      return TimeIsOver(options_.total_timeout);
    }
    SetRequest();
    SetConnection();
    SetLimits();
    // An old libcurl that lacks a protection must not go without it.
    if (setting_ != CURLE_OK) {
      return absl::InternalError(
          absl::StrCat("libcurl: ", curl_easy_strerror(setting_)));
    }
    const CURLcode code = curl_easy_perform(curl_.get());
    if (!verdict_.ok()) return verdict_;
    // A body that nobody reads was cut off on purpose.
    if (code == CURLE_OK || has_unread_body_) return absl::OkStatus();
    return Explain(code);
  }

  int64_t status() const {
    long code = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  // Empty when the answer has none.
  std::string location() const {
    curl_header* header = nullptr;
    const CURLHcode code =
        curl_easy_header(curl_.get(), "Location", 0, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? header->value : "";
  }
  std::string TakeBody() { return std::move(body_); }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    if (setting_ == CURLE_OK) {
      setting_ = curl_easy_setopt(curl_.get(), option, value);
    }
  }

  void SetRequest() {
    Set(CURLOPT_URL, url_.text.c_str());
    Set(CURLOPT_PROTOCOLS_STR, url_.https ? "https" : "http");
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_USERAGENT, "sam3-server");
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOPROXY, "*");
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!options_.ca_file.empty()) {
      Set(CURLOPT_CAINFO, options_.ca_file.c_str());
      Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
  }

  void SetConnection() {
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::OpenSocket);
    Set(CURLOPT_OPENSOCKETDATA, this);
    if (url_.address.has_value()) return;
    std::string pinned = absl::StrCat(url_.host, ":", url_.port);
    char separator = ':';
    for (const IpAddress& address : addresses_) {
      absl::StrAppend(&pinned, absl::string_view(&separator, 1),
                      address.is_v4() ? "" : "[", address.ToString(),
                      address.is_v4() ? "" : "]");
      separator = ',';
    }
    pinned_.reset(curl_slist_append(nullptr, pinned.c_str()));
    Set(CURLOPT_RESOLVE, pinned_.get());
  }

  void SetLimits() {
    const auto milliseconds = [](absl::Duration duration) {
      return std::max(1L,
                      static_cast<long>(absl::ToInt64Milliseconds(duration)));
    };
    Set(CURLOPT_TIMEOUT_MS, milliseconds(time_left_));
    // Shared among the host's addresses, so that a dead one costs a part of it.
    Set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options_.idle_timeout));
    // For answers that tell their length; the others are cut in OnBody().
    Set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options_.max_bytes));
    Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
    Set(CURLOPT_XFERINFODATA, this);
  }

  // The last gate: what is not among the addresses that passed gets no socket.
  static curl_socket_t OpenSocket(void* self, curlsocktype purpose,
                                  curl_sockaddr* to) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::optional<IpAddress> address = IpAddress::FromSockaddr(to->addr);
    const auto& allowed = transfer.addresses_;
    if (purpose != CURLSOCKTYPE_IPCXN || to->socktype != SOCK_STREAM ||
        !address.has_value() || PortOf(*to) != transfer.url_.port ||
        std::find(allowed.begin(), allowed.end(), *address) == allowed.end()) {
      transfer.verdict_ = UrlFailed(UrlFailure::kAddress,
                                    "the host has an address that was not "
                                    "checked");
      return CURL_SOCKET_BAD;
    }
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static size_t OnHeader(char* data, size_t /*one*/, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    absl::string_view line(data, size);
    transfer.header_bytes_ += size;
    if (transfer.header_bytes_ > transfer.options_.max_header_bytes) {
      return transfer.Break(
          UrlFailure::kBroken,
          absl::StrCat("the answer's headers have more than ",
                       transfer.options_.max_header_bytes, " bytes"));
    }
    // libcurl would decompress what was never asked for.
    if (absl::StartsWithIgnoreCase(line, "transfer-encoding:") &&
        !absl::EqualsIgnoreCase(
            absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)),
            "chunked")) {
      return transfer.Break(UrlFailure::kBroken,
                            "the answer has a compressed transfer encoding");
    }
    return size;
  }

  static size_t OnBody(char* data, size_t /*one*/, size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.status() != kHttpOk) {
      transfer.has_unread_body_ = true;
      return 0;
    }
    if (transfer.body_.size() + size >
        static_cast<size_t>(transfer.options_.max_bytes)) {
      transfer.verdict_ = TooLarge(transfer.options_.max_bytes);
      return 0;
    }
    transfer.body_.append(data, size);
    return size;
  }

  static int OnProgress(void* self, curl_off_t /*expected*/, curl_off_t loaded,
                        curl_off_t /*to_send*/, curl_off_t sent) {
    auto& transfer = *static_cast<Transfer*>(self);
    // libcurl reports once more after it was stopped.
    if (!transfer.verdict_.ok()) return 1;
    const absl::Time now = transfer.clock_.Now();
    transfer.verdict_ = transfer.context_.StillWanted(now);
    if (!transfer.verdict_.ok()) return 1;
    const curl_off_t moved =
        loaded + sent + static_cast<curl_off_t>(transfer.header_bytes_);
    if (moved != transfer.moved_) {
      transfer.moved_ = moved;
      transfer.last_progress_ = now;
    }
    if (now - transfer.last_progress_ < transfer.options_.idle_timeout) {
      return 0;
    }
    transfer.verdict_ = Silence(transfer.options_.idle_timeout);
    return 1;
  }

  // What libcurl takes for "stop".
  size_t Break(UrlFailure failure, absl::string_view why) {
    verdict_ = UrlFailed(failure, why);
    return 0;
  }

  bool HasConnection() const {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_PRETRANSFER_TIME_T, &microseconds);
    return microseconds > 0;
  }

  // libcurl's longer texts hold addresses.
  absl::Status Explain(CURLcode code) const {
    const char* told = curl_easy_strerror(code);
    switch (code) {
      case CURLE_FILESIZE_EXCEEDED:
        return TooLarge(options_.max_bytes);
      case CURLE_OPERATION_TIMEDOUT:
        return HasConnection() || time_left_ <= options_.idle_timeout
                   ? TimeIsOver(options_.total_timeout)
                   : Silence(options_.idle_timeout);
      case CURLE_COULDNT_CONNECT:
        return UrlFailed(UrlFailure::kConnect, told);
      case CURLE_SSL_CONNECT_ERROR:
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_CIPHER:
        return UrlFailed(UrlFailure::kTls, told);
      default:
        return UrlFailed(UrlFailure::kBroken, told);
    }
  }

  const Options& options_;
  const CheckedUrl& url_;
  const std::vector<IpAddress>& addresses_;
  const RequestContext& context_;
  Clock& clock_;
  // Why the transfer was stopped from here, if it was.
  absl::Status verdict_;
  std::string body_;
  bool has_unread_body_ = false;
  size_t header_bytes_ = 0;
  curl_off_t moved_ = 0;
  absl::Time last_progress_;
  const absl::Duration time_left_;
  CURLcode setting_ = CURLE_OK;
  std::unique_ptr<curl_slist, CurlFree> pinned_;
  std::unique_ptr<CURL, CurlFree> curl_;
};

UrlFetcher::UrlFetcher(Options options, UrlGate gate,
                       const HostResolver& resolver, Clock& clock,
                       PipelineMetrics& metrics)
    : options_(std::move(options)),
      gate_(std::move(gate)),
      resolver_(resolver),
      clock_(clock),
      metrics_(metrics) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

UrlFetcher::~UrlFetcher() { curl_global_cleanup(); }

absl::Status UrlFetcher::Check(const SourceUrl& url) const {
  return Told(url, gate_.Check(url.text()).status());
}

absl::StatusOr<std::string> UrlFetcher::Fetch(
    const SourceUrl& url, const RequestContext& context) const {
  const absl::Time start = clock_.Now();
  absl::StatusOr<std::string> body = Follow(url, context);
  metrics_.fetch_seconds.Observe(clock_.Now() - start);
  if (!body.ok()) return Told(url, body.status());
  return body;
}

absl::StatusOr<std::string> UrlFetcher::Follow(
    const SourceUrl& url, const RequestContext& context) const {
  const absl::Time deadline = clock_.Now() + options_.total_timeout;
  SAM3_ASSIGN_OR_RETURN(CheckedUrl next, gate_.Check(url.text()));
  for (int redirects = 0;; ++redirects) {
    SAM3_ASSIGN_OR_RETURN(const std::vector<IpAddress> addresses,
                          AddressesOf(next, deadline, context));
    Transfer transfer(options_, next, addresses, deadline, context, clock_);
    SAM3_RETURN_IF_ERROR(transfer.Run());
    const int64_t status = transfer.status();
    if (status == kHttpOk) return transfer.TakeBody();
    if (!IsRedirect(status) || transfer.location().empty()) {
      return UrlFailed(UrlFailure::kStatus,
                       absl::StrCat("the host answered ", status));
    }
    if (redirects == options_.max_redirects) {
      return UrlFailed(
          UrlFailure::kRedirect,
          absl::StrCat("more than ", options_.max_redirects, " redirects"));
    }
    SAM3_ASSIGN_OR_RETURN(next, gate_.CheckRedirect(next, transfer.location()));
  }
}

absl::StatusOr<std::vector<IpAddress>> UrlFetcher::AddressesOf(
    const CheckedUrl& url, absl::Time deadline,
    const RequestContext& context) const {
  if (url.address.has_value()) return std::vector<IpAddress>{*url.address};
  SAM3_ASSIGN_OR_RETURN(std::vector<IpAddress> addresses,
                        resolver_.Resolve(url.host, deadline, context));
  for (const IpAddress& address : addresses) {
    SAM3_RETURN_IF_ERROR(gate_.CheckAddress(address));
  }
  if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses);
  return addresses;
}

// Counts a failure, and says which URL it is about.
absl::Status UrlFetcher::Told(const SourceUrl& url,
                              const absl::Status& status) const {
  const std::optional<UrlFailure> failure = UrlFailureOf(status);
  if (!failure.has_value()) return status;
  metrics_.url_failures[static_cast<size_t>(*failure)].Add();
  return UrlFailed(*failure,
                   absl::StrCat(url.redacted(), ": ", status.message()));
}

}  // namespace sam3
