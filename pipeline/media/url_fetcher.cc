#include "pipeline/media/url_fetcher.h"

#include <curl/curl.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/checked_addresses.h"
#include "pipeline/media/gated_request.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

constexpr int64_t kHttpOk = 200;

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
        context_(context),
        clock_(clock),
        last_progress_(clock.Now()),
        time_left_(deadline - last_progress_),
        request_(url, addresses, options.ca_file) {}

  // OK when the host gave an answer, whichever.
  absl::Status Run() {
    if (time_left_ <= absl::ZeroDuration()) {
      return TimeIsOver(options_.total_timeout);
    }
    SetLimits();
    SAM3_RETURN_IF_ERROR(request_.status());
    const CURLcode code = curl_easy_perform(request_.handle());
    SAM3_RETURN_IF_ERROR(request_.status());
    if (!verdict_.ok()) return verdict_;
    // A body that nobody reads was cut off on purpose.
    if (code == CURLE_OK || has_unread_body_) return absl::OkStatus();
    return Explain(code);
  }

  const GatedRequest& request() const { return request_; }
  std::string TakeBody() { return std::move(body_); }

 private:
  void SetLimits() {
    const auto milliseconds = [](absl::Duration duration) {
      return std::max(1L,
                      static_cast<long>(absl::ToInt64Milliseconds(duration)));
    };
    request_.Set(CURLOPT_TIMEOUT_MS, milliseconds(time_left_));
    // Shared among the host's addresses, so that a dead one costs a part of it.
    request_.Set(CURLOPT_CONNECTTIMEOUT_MS,
                 milliseconds(options_.idle_timeout));
    // For answers that tell their length; the others are cut in OnBody().
    request_.Set(CURLOPT_MAXFILESIZE_LARGE,
                 static_cast<curl_off_t>(options_.max_bytes));
    request_.Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    request_.Set(CURLOPT_HEADERDATA, this);
    request_.Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    request_.Set(CURLOPT_WRITEDATA, this);
    request_.Set(CURLOPT_NOPROGRESS, 0L);
    request_.Set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
    request_.Set(CURLOPT_XFERINFODATA, this);
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
    if (transfer.request_.http_status() != kHttpOk) {
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
    curl_easy_getinfo(request_.handle(), CURLINFO_PRETRANSFER_TIME_T,
                      &microseconds);
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
  GatedRequest request_;
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
    SAM3_ASSIGN_OR_RETURN(
        const std::vector<IpAddress> addresses,
        CheckedAddresses(gate_, resolver_, next, deadline, context));
    Transfer transfer(options_, next, addresses, deadline, context, clock_);
    SAM3_RETURN_IF_ERROR(transfer.Run());
    const int64_t status = transfer.request().http_status();
    if (status == kHttpOk) return transfer.TakeBody();
    const std::string location = transfer.request().Header("Location");
    if (!transfer.request().is_redirect() || location.empty()) {
      return UrlFailed(UrlFailure::kStatus,
                       absl::StrCat("the host answered ", status));
    }
    if (redirects == options_.max_redirects) {
      return UrlFailed(
          UrlFailure::kRedirect,
          absl::StrCat("more than ", options_.max_redirects, " redirects"));
    }
    SAM3_ASSIGN_OR_RETURN(next, gate_.CheckRedirect(next, location));
  }
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
