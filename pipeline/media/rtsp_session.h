#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/camera_socket.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/media/rtsp_authorization.h"
#include "pipeline/media/rtsp_message.h"
#include "pipeline/media/session_description.h"
#include "pipeline/media/url_gate.h"

namespace sam3 {

// The client's side of one RTSP conversation (RFC 2326) on an open socket:
// DESCRIBE, SETUP and PLAY of one video, then its packets. Ends the session,
// without waiting, when it is destroyed.
//
// Threads: one at a time. What blocks does so as long as `wait` allows. Errors:
// classes of source_failure.h, and wait's.
class RtspSession {
 public:
  // What is borrowed must outlive the session.
  RtspSession(const CheckedUrl& url, std::unique_ptr<CameraSocket> socket,
              size_t max_message_bytes, LiveWait& wait, Clock& clock);
  ~RtspSession();
  RtspSession(const RtspSession&) = delete;
  RtspSession& operator=(const RtspSession&) = delete;

  // Asks for the description. Where the server sends its client elsewhere, the
  // new URL comes back; otherwise it is empty.
  absl::StatusOr<std::string> Describe();

  // Then: has the media sent.
  absl::Status Play();

  // What is to be played; set by Describe().
  const OfferedVideo& video() const { return video_; }

  // Then: the next packet of the video's own channel.
  absl::StatusOr<std::string> NextPacket();

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  absl::Status SendRequest(absl::string_view method, absl::string_view uri,
                           const Headers& headers);
  // Sends a request and waits for its answer; meets challenges.
  absl::StatusOr<RtspMessage> Ask(const std::string& method,
                                  const std::string& uri,
                                  const Headers& headers);
  absl::StatusOr<RtspItem> Receive();
  // An answer that nobody waits for, or a request of the server's.
  absl::Status TakeNote(const RtspMessage& message);
  absl::Status KeepAlive();
  std::string Resolve(const std::string& control) const;

  const CheckedUrl& url_;
  const std::unique_ptr<CameraSocket> socket_;
  LiveWait& wait_;
  Clock& clock_;
  RtspParser parser_;
  RtspAuthorization authorization_;
  OfferedVideo video_;
  std::string base_;
  std::string session_;
  int sequence_ = 0;
  int channel_ = 0;
  // Came while an answer was waited for.
  std::deque<std::string> early_packets_;
  bool takes_get_parameter_ = false;
  absl::Duration keep_alive_interval_;
  absl::Time next_keep_alive_ = absl::InfiniteFuture();
};

}  // namespace sam3
