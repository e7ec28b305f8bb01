#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// An answer of an RTSP server (RFC 2326), or a request of its own.
struct RtspMessage {
  int status = 0;      // of an answer
  std::string method;  // of a request; empty otherwise
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first header of that name, in any case; empty when there is none.
  std::string Header(absl::string_view name) const;
};

// Media that travels between messages on the same connection.
struct InterleavedPacket {
  int channel = 0;
  std::string payload;
};

using RtspItem = std::variant<RtspMessage, InterleavedPacket>;

// Takes apart what a server sends. Holds no more than one message or packet
// beyond what was appended last. Not thread-safe; never blocks.
class RtspParser {
 public:
  // The bound holds for a message's headers and for its body.
  explicit RtspParser(size_t max_message_bytes);

  void Append(absl::string_view bytes);

  // The next item; nothing while it is incomplete. A failed parser stays so:
  // FAILED_PRECONDITION (MEDIA_UNREACHABLE).
  absl::StatusOr<std::optional<RtspItem>> Next();

 private:
  absl::StatusOr<std::optional<RtspItem>> NextMessage();

  const size_t max_message_bytes_;
  std::string buffer_;
};

// Numbers of a header such as "RTP/AVP/TCP;unicast;interleaved=0-1" or
// "12345;timeout=60": what follows `name` and "=", up to the next ";" or the
// end, without quotes. Empty when there is none.
std::string RtspParameter(absl::string_view header, absl::string_view name);

}  // namespace sam3
