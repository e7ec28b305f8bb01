#include "pipeline/media/rtsp_input.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/camera_socket.h"
#include "pipeline/media/checked_addresses.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/media/rtsp_session.h"
#include "pipeline/media/url_failure.h"

namespace sam3 {
namespace {

class RtspInput final : public LiveInput {
 public:
  RtspInput(CheckedUrl url, const LiveAccess& access)
      : url_(std::move(url)),
        limits_(access.limits),
        clock_(access.clock),
        wait_(access.limits, access.context, access.clock, access.on_stall) {}

  // Where the server sends its client elsewhere, the new URL comes back.
  absl::StatusOr<std::string> Begin(const std::vector<IpAddress>& addresses,
                                    absl::Time deadline) {
    wait_.SetDeadline(deadline);
    wait_.Restart();
    SAM3_ASSIGN_OR_RETURN(
        std::unique_ptr<CameraSocket> socket,
        CameraSocket::Connect(url_, addresses, limits_.ca_file, wait_));
    session_ = std::make_unique<RtspSession>(
        url_, std::move(socket), limits_.max_header_bytes, wait_, clock_);
    SAM3_ASSIGN_OR_RETURN(std::string location, session_->Describe());
    if (!location.empty()) return location;
    SAM3_RETURN_IF_ERROR(session_->Play());
    description_ = session_->video().description;
    return std::string();
  }

  void SetDeadline(absl::Time deadline) override {
    wait_.SetDeadline(deadline);
  }
  void SetPictureInterval(absl::Duration interval) override {
    wait_.SetPictureInterval(interval);
  }
  absl::Status status() const override { return status_; }
  void Abort() override { aborted_ = true; }

  int64_t Read(uint8_t* buffer, size_t size) override {
    if (!described_) return ReadDescription(buffer, size);
    wait_.Restart();
    while (status_.ok()) {
      if (aborted_) {
        status_ = absl::CancelledError("aborted");
        break;
      }
      absl::StatusOr<std::string> packet = session_->NextPacket();
      if (!packet.ok()) {
        status_ = packet.status();
      } else if (packet->size() <= size) {
        std::copy(packet->begin(), packet->end(), buffer);
        return static_cast<int64_t>(packet->size());
      }
    }
    return -1;
  }

 private:
  int64_t ReadDescription(uint8_t* buffer, size_t size) {
    const size_t count = std::min(size, description_.size());
    std::copy_n(description_.begin(), count, buffer);
    description_.erase(0, count);
    described_ = count == 0;
    return static_cast<int64_t>(count);
  }

  const CheckedUrl url_;
  const LiveLimits& limits_;
  Clock& clock_;
  LiveWait wait_;
  std::unique_ptr<RtspSession> session_;
  std::string description_;
  // Whether the description was read to its end.
  bool described_ = false;
  std::atomic<bool> aborted_{false};
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LiveInput>> OpenRtsp(const CheckedUrl& url,
                                                    const LiveAccess& access,
                                                    absl::Time deadline) {
  CheckedUrl next = url;
  for (int redirects = 0;; ++redirects) {
    SAM3_ASSIGN_OR_RETURN(const std::vector<IpAddress> addresses,
                          CheckedAddresses(access.gate, access.resolver, next,
                                           deadline, access.context));
    auto input = std::make_unique<RtspInput>(next, access);
    SAM3_ASSIGN_OR_RETURN(const std::string location,
                          input->Begin(addresses, deadline));
    if (location.empty()) return input;
    if (redirects == access.limits.max_redirects) {
      return UrlFailed(UrlFailure::kRedirect,
                       absl::StrCat("more than ", access.limits.max_redirects,
                                    " redirects"));
    }
    SAM3_ASSIGN_OR_RETURN(next, access.gate.CheckRedirect(next, location));
  }
}

}  // namespace sam3
