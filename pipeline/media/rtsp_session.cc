#include "pipeline/media/rtsp_session.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
// A server that challenges on and on is no use.
constexpr int kMaxChallenges = 3;
constexpr size_t kMaxEarlyPackets = 256;
constexpr size_t kRtpHeaderBytes = 12;
// Where the server names none.
constexpr int kSessionSeconds = 60;

absl::Status BadAnswer(const std::string& method, int status) {
  SourceFailure failure = SourceFailure::kConnection;
  if (status == kUnauthorized || status == 403) failure = SourceFailure::kAuth;
  if (status == 404 || status == 410) failure = SourceFailure::kNotFound;
  if (status == 415) failure = SourceFailure::kCodecUnsupported;
  return SourceFailed(
      failure, absl::StrCat("the host answered ", status, " to ", method));
}

bool IsRtp(absl::string_view packet, int payload_type) {
  return packet.size() >= kRtpHeaderBytes &&
         (static_cast<unsigned char>(packet[0]) >> 6) == 2 &&
         (static_cast<unsigned char>(packet[1]) & 0x7f) == payload_type;
}

bool IsAbsolute(absl::string_view uri) {
  return absl::StartsWithIgnoreCase(uri, "rtsp://") ||
         absl::StartsWithIgnoreCase(uri, "rtsps://");
}

}  // namespace

RtspSession::RtspSession(const CheckedUrl& url,
                         std::unique_ptr<CameraSocket> socket,
                         size_t max_message_bytes, LiveWait& wait, Clock& clock)
    : url_(url),
      socket_(std::move(socket)),
      wait_(wait),
      clock_(clock),
      parser_(max_message_bytes),
      authorization_(url.user, url.password),
      base_(url.text) {}

RtspSession::~RtspSession() {
  if (session_.empty()) return;
  std::string request = absl::StrCat(
      "TEARDOWN ", Resolve(video_.session_control),
      " RTSP/1.0\r\nCSeq: ", ++sequence_, "\r\nSession: ", session_, "\r\n");
  const std::string header =
      authorization_.Header("TEARDOWN", Resolve(video_.session_control));
  if (!header.empty()) {
    absl::StrAppend(&request, "Authorization: ", header, "\r\n");
  }
  socket_->SendIfRoom(request + "\r\n");
}

absl::StatusOr<std::string> RtspSession::Describe() {
  SAM3_ASSIGN_OR_RETURN(const RtspMessage options,
                        Ask("OPTIONS", url_.text, {}));
  // Asking on with a refused password would count as another try.
  if (options.status == kUnauthorized) {
    return BadAnswer("OPTIONS", options.status);
  }
  takes_get_parameter_ =
      absl::StrContains(options.Header("Public"), "GET_PARAMETER");
  SAM3_ASSIGN_OR_RETURN(
      const RtspMessage answer,
      Ask("DESCRIBE", url_.text, {{"Accept", "application/sdp"}}));
  if (answer.status >= 300 && answer.status < 400 &&
      !answer.Header("Location").empty()) {
    return answer.Header("Location");
  }
  if (answer.status != kOk) return BadAnswer("DESCRIBE", answer.status);
  SAM3_ASSIGN_OR_RETURN(video_, FindVideo(answer.body));
  for (const char* name : {"Content-Location", "Content-Base"}) {
    const std::string base = answer.Header(name);
    if (IsAbsolute(base)) base_ = base;
  }
  return std::string();
}

absl::Status RtspSession::Play() {
  SAM3_ASSIGN_OR_RETURN(
      const RtspMessage setup,
      Ask("SETUP", Resolve(video_.control),
          {{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}}));
  if (setup.status != kOk) return BadAnswer("SETUP", setup.status);
  const std::string transport = setup.Header("Transport");
  const std::string channels = RtspParameter(transport, "interleaved");
  if (!absl::StartsWithIgnoreCase(transport, "RTP/AVP/TCP") ||
      !absl::SimpleAtoi(channels.substr(0, channels.find('-')), &channel_)) {
    return SourceFailed(SourceFailure::kConnection,
                        "the host does not send its video over TCP");
  }
  const std::string session = setup.Header("Session");
  session_ = std::string(
      absl::StripAsciiWhitespace(session.substr(0, session.find(';'))));
  int seconds = 0;
  if (!absl::SimpleAtoi(RtspParameter(session, "timeout"), &seconds) ||
      seconds < 2) {
    seconds = kSessionSeconds;
  }
  keep_alive_interval_ = absl::Seconds(seconds) / 2;
  SAM3_ASSIGN_OR_RETURN(
      const RtspMessage play,
      Ask("PLAY", Resolve(video_.session_control), {{"Range", "npt=0.000-"}}));
  if (play.status != kOk) return BadAnswer("PLAY", play.status);
  next_keep_alive_ = clock_.Now() + keep_alive_interval_;
  return absl::OkStatus();
}

absl::StatusOr<std::string> RtspSession::NextPacket() {
  while (true) {
    std::string packet;
    if (!early_packets_.empty()) {
      packet = std::move(early_packets_.front());
      early_packets_.pop_front();
    } else {
      if (clock_.Now() >= next_keep_alive_) SAM3_RETURN_IF_ERROR(KeepAlive());
      SAM3_ASSIGN_OR_RETURN(RtspItem item, Receive());
      if (const auto* message = std::get_if<RtspMessage>(&item)) {
        SAM3_RETURN_IF_ERROR(TakeNote(*message));
        continue;
      }
      auto& interleaved = std::get<InterleavedPacket>(item);
      if (interleaved.channel != channel_) continue;
      packet = std::move(interleaved.payload);
    }
    if (IsRtp(packet, video_.payload_type)) return packet;
  }
}

absl::Status RtspSession::SendRequest(absl::string_view method,
                                      absl::string_view uri,
                                      const Headers& headers) {
  std::string request =
      absl::StrCat(method, " ", uri, " RTSP/1.0\r\nCSeq: ", ++sequence_,
                   "\r\nUser-Agent: sam3-server\r\n");
  if (!session_.empty()) {
    absl::StrAppend(&request, "Session: ", session_, "\r\n");
  }
  const std::string authorization = authorization_.Header(method, uri);
  if (!authorization.empty()) {
    absl::StrAppend(&request, "Authorization: ", authorization, "\r\n");
  }
  for (const auto& [name, value] : headers) {
    absl::StrAppend(&request, name, ": ", value, "\r\n");
  }
  return socket_->Send(request + "\r\n", wait_);
}

absl::StatusOr<RtspMessage> RtspSession::Ask(const std::string& method,
                                             const std::string& uri,
                                             const Headers& headers) {
  for (int challenges = 0;; ++challenges) {
    SAM3_RETURN_IF_ERROR(SendRequest(method, uri, headers));
    std::optional<RtspMessage> answer;
    while (!answer.has_value()) {
      SAM3_ASSIGN_OR_RETURN(RtspItem item, Receive());
      if (auto* packet = std::get_if<InterleavedPacket>(&item)) {
        if (packet->channel == channel_ &&
            early_packets_.size() < kMaxEarlyPackets) {
          early_packets_.push_back(std::move(packet->payload));
        }
        continue;
      }
      auto& message = std::get<RtspMessage>(item);
      int sequence = sequence_;
      const std::string told = message.Header("CSeq");
      if (!told.empty() && !absl::SimpleAtoi(told, &sequence)) sequence = -1;
      if (message.method.empty() && sequence == sequence_) {
        answer = std::move(message);
      } else {
        SAM3_RETURN_IF_ERROR(TakeNote(message));
      }
    }
    if (answer->status != kUnauthorized || challenges == kMaxChallenges ||
        !authorization_.Accept(*answer)) {
      return *std::move(answer);
    }
  }
}

absl::StatusOr<RtspItem> RtspSession::Receive() {
  while (true) {
    SAM3_ASSIGN_OR_RETURN(std::optional<RtspItem> item, parser_.Next());
    if (item.has_value()) return *std::move(item);
    SAM3_ASSIGN_OR_RETURN(const std::string bytes, socket_->Receive(wait_));
    if (bytes.empty()) {
      return SourceFailed(SourceFailure::kConnection, "the host hung up");
    }
    parser_.Append(bytes);
  }
}

absl::Status RtspSession::TakeNote(const RtspMessage& message) {
  if (message.method == "TEARDOWN" || message.method == "REDIRECT") {
    return SourceFailed(SourceFailure::kConnection,
                        "the host has ended the session");
  }
  if (!message.method.empty()) {
    return socket_->Send(absl::StrCat("RTSP/1.0 501 Not Implemented\r\nCSeq: ",
                                      message.Header("CSeq"), "\r\n\r\n"),
                         wait_);
  }
  // For the next one.
  if (message.status == kUnauthorized) authorization_.Accept(message);
  return absl::OkStatus();
}

absl::Status RtspSession::KeepAlive() {
  next_keep_alive_ = clock_.Now() + keep_alive_interval_;
  return SendRequest(takes_get_parameter_ ? "GET_PARAMETER" : "OPTIONS",
                     Resolve(video_.session_control), {});
}

std::string RtspSession::Resolve(const std::string& control) const {
  if (control.empty() || control == "*") return base_;
  if (IsAbsolute(control)) return control;
  return absl::StrCat(base_, absl::EndsWith(base_, "/") ? "" : "/", control);
}

}  // namespace sam3
