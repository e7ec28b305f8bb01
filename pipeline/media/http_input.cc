#include "pipeline/media/http_input.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/checked_addresses.h"
#include "pipeline/media/gated_request.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/media/url_failure.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr int64_t kHttpOk = 200;
constexpr int64_t kHttpPartial = 206;
constexpr size_t kMaxBufferBytes = 256 << 10;

struct CurlMultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};

absl::Status Explain(CURLcode code) {
  // libcurl's longer texts hold addresses.
  const char* told = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return SourceFailed(SourceFailure::kTimeout, told);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
      return SourceFailed(SourceFailure::kTlsHandshake, told);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return SourceFailed(SourceFailure::kTlsCertificate, told);
    default:
      return SourceFailed(SourceFailure::kConnection, told);
  }
}

absl::Status BadAnswer(int64_t http_status) {
  SourceFailure failure = SourceFailure::kConnection;
  if (http_status == 401 || http_status == 403) failure = SourceFailure::kAuth;
  if (http_status == 404 || http_status == 410) {
    failure = SourceFailure::kNotFound;
  }
  return SourceFailed(failure, absl::StrCat("the host answered ", http_status));
}

// One request and its answer.
class CurlInput final : public HttpInput {
 public:
  CurlInput(CheckedUrl url, std::vector<IpAddress> addresses,
            const std::optional<ByteRange>& range, const LiveAccess& access)
      : url_(std::move(url)),
        addresses_(std::move(addresses)),
        range_(range),
        limits_(access.limits),
        wait_(access.limits, access.context, access.clock, access.on_stall),
        request_(url_, addresses_, limits_.ca_file),
        multi_(curl_multi_init()) {}

  ~CurlInput() override {
    if (added_) curl_multi_remove_handle(multi_.get(), request_.handle());
  }

  // Blocks until there is a body, or the answer is complete without.
  absl::Status Begin(absl::Time deadline) {
    wait_.SetDeadline(deadline);
    const auto connect_ms =
        static_cast<long>(absl::ToInt64Milliseconds(limits_.open_timeout) / 2);
    request_.Set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, connect_ms));
    request_.Set(CURLOPT_HEADERFUNCTION, &CurlInput::OnHeader);
    request_.Set(CURLOPT_HEADERDATA, this);
    request_.Set(CURLOPT_WRITEFUNCTION, &CurlInput::OnBody);
    request_.Set(CURLOPT_WRITEDATA, this);
    if (!url_.user.empty() || !url_.password.empty()) {
      request_.Set(CURLOPT_HTTPAUTH,
                   static_cast<long>(CURLAUTH_BASIC | CURLAUTH_DIGEST));
      request_.Set(CURLOPT_USERNAME, url_.user.c_str());
      request_.Set(CURLOPT_PASSWORD, url_.password.c_str());
    }
    if (range_.has_value()) {
      // Copied by libcurl.
      request_.Set(CURLOPT_RANGE,
                   absl::StrCat(range_->begin, "-", range_->end() - 1).c_str());
    }
    SAM3_RETURN_IF_ERROR(request_.status());
    if (multi_ == nullptr) return absl::ResourceExhaustedError("no memory");
    added_ = curl_multi_add_handle(multi_.get(), request_.handle()) == CURLM_OK;
    if (!added_) return absl::InternalError("libcurl takes no request");
    wait_.Restart();
    while (!has_body_ && !done_) {
      if (!Step()) return status_;
    }
    // What came before a failure is still read.
    return has_body_ ? absl::OkStatus() : status_;
  }

  const GatedRequest& request() const { return request_; }
  int64_t good_status() const {
    return range_.has_value() ? kHttpPartial : kHttpOk;
  }

  // Whether the answer is the part that was asked for.
  absl::Status CheckRange() const {
    if (!range_.has_value() ||
        absl::StartsWith(request_.Header("Content-Range"),
                         absl::StrCat("bytes ", range_->begin, "-",
                                      range_->end() - 1, "/"))) {
      return absl::OkStatus();
    }
    return SourceFailed(SourceFailure::kConnection,
                        "the host answered with another part of the file");
  }

  const CheckedUrl& url() const override { return url_; }
  std::string content_type() const override {
    return request_.Header("Content-Type");
  }
  void SetDeadline(absl::Time deadline) override {
    wait_.SetDeadline(deadline);
  }
  void SetPictureInterval(absl::Duration interval) override {
    wait_.SetPictureInterval(interval);
  }
  absl::Status status() const override { return status_; }
  void Abort() override { aborted_ = true; }
  void EndWithConnection() override { ends_with_connection_ = true; }

  absl::string_view Peek(size_t size) override {
    wait_.Restart();
    while (buffer_.size() - taken_ < size && !done_ && !paused_) {
      if (!Step(size)) break;
    }
    return absl::string_view(buffer_).substr(taken_, size);
  }

  int64_t Read(uint8_t* buffer, size_t size) override {
    wait_.Restart();
    while (taken_ == buffer_.size()) {
      buffer_.clear();
      taken_ = 0;
      if (done_) return EndOfBody();
      if (!Step()) return -1;
    }
    const size_t count = std::min(size, buffer_.size() - taken_);
    std::memcpy(buffer, buffer_.data() + taken_, count);
    taken_ += count;
    return static_cast<int64_t>(count);
  }

 private:
  // Lets libcurl work once and, while there are fewer than `wanted` bytes,
  // waits for it to have more work; false when the connection is of no more
  // use.
  bool Step(size_t wanted = 1) {
    if (status_.ok()) status_ = wait_.Check();
    if (aborted_ && status_.ok()) status_ = absl::CancelledError("aborted");
    if (!status_.ok()) return false;
    if (paused_) {
      paused_ = false;
      curl_easy_pause(request_.handle(), CURLPAUSE_CONT);
    }
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    if (!request_.status().ok()) status_ = request_.status();
    int waiting = 0;
    while (const CURLMsg* message =
               curl_multi_info_read(multi_.get(), &waiting)) {
      if (message->msg != CURLMSG_DONE) continue;
      done_ = true;
      const CURLcode code = message->data.result;
      if (code != CURLE_OK && status_.ok()) status_ = Explain(code);
    }
    if (!done_ && buffer_.size() - taken_ < wanted) {
      curl_multi_poll(multi_.get(), nullptr, 0, LiveWait::kSliceMilliseconds,
                      nullptr);
    }
    return status_.ok() || taken_ < buffer_.size();
  }

  // An answer that tells where it ends has ended; of any other nobody knows.
  int64_t EndOfBody() {
    if (!status_.ok()) return -1;
    if (ends_with_connection_ || !request_.Header("Content-Length").empty() ||
        absl::EqualsIgnoreCase(request_.Header("Transfer-Encoding"),
                               "chunked")) {
      return 0;
    }
    status_ = SourceFailed(SourceFailure::kConnection, "the host hung up");
    return -1;
  }

  static size_t OnHeader(char* data, size_t /*one*/, size_t size, void* self) {
    auto& input = *static_cast<CurlInput*>(self);
    input.wait_.Restart();
    input.header_bytes_ += size;
    const absl::string_view line(data, size);
    if (input.header_bytes_ > input.limits_.max_header_bytes) {
      return input.Break("the answer's headers are too long");
    }
    // libcurl would decompress what was never asked for.
    if (absl::StartsWithIgnoreCase(line, "transfer-encoding:") &&
        !absl::EqualsIgnoreCase(
            absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)),
            "chunked")) {
      return input.Break("the answer has a compressed transfer encoding");
    }
    return size;
  }

  static size_t OnBody(char* data, size_t /*one*/, size_t size, void* self) {
    auto& input = *static_cast<CurlInput*>(self);
    input.wait_.Restart();
    input.has_body_ = true;
    // An error's body is read by nobody.
    if (input.request_.http_status() != input.good_status()) return size;
    if (!input.buffer_.empty() &&
        input.buffer_.size() + size > kMaxBufferBytes) {
      input.paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    input.buffer_.append(data, size);
    return size;
  }

  // What libcurl takes for "stop".
  size_t Break(absl::string_view why) {
    status_ = SourceFailed(SourceFailure::kConnection, why);
    return 0;
  }

  const CheckedUrl url_;
  const std::vector<IpAddress> addresses_;
  const std::optional<ByteRange> range_;
  const LiveLimits& limits_;
  LiveWait wait_;
  GatedRequest request_;
  std::unique_ptr<CURLM, CurlMultiFree> multi_;
  std::atomic<bool> aborted_{false};
  bool added_ = false;
  bool has_body_ = false;
  bool paused_ = false;
  bool done_ = false;
  bool ends_with_connection_ = false;
  size_t header_bytes_ = 0;
  std::string buffer_;
  size_t taken_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpInput>> HttpInput::Open(
    const CheckedUrl& url, const std::optional<ByteRange>& range,
    const LiveAccess& access, absl::Time deadline) {
  CheckedUrl next = url;
  for (int redirects = 0;; ++redirects) {
    SAM3_ASSIGN_OR_RETURN(std::vector<IpAddress> addresses,
                          CheckedAddresses(access.gate, access.resolver, next,
                                           deadline, access.context));
    auto input =
        std::make_unique<CurlInput>(next, std::move(addresses), range, access);
    SAM3_RETURN_IF_ERROR(input->Begin(deadline));
    const GatedRequest& answer = input->request();
    if (answer.http_status() == input->good_status()) {
      SAM3_RETURN_IF_ERROR(input->CheckRange());
      return input;
    }
    if (answer.http_status() == kHttpOk) {
      return SourceFailed(SourceFailure::kConnection,
                          "the host gives no parts of files, and the playlist "
                          "names some");
    }
    const std::string location = answer.Header("Location");
    if (!answer.is_redirect() || location.empty()) {
      return BadAnswer(answer.http_status());
    }
    if (redirects == access.limits.max_redirects) {
      return UrlFailed(UrlFailure::kRedirect,
                       absl::StrCat("more than ", access.limits.max_redirects,
                                    " redirects"));
    }
    SAM3_ASSIGN_OR_RETURN(next, access.gate.CheckRedirect(next, location));
  }
}

}  // namespace sam3
