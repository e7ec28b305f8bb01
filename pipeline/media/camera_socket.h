#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pipeline/media/ip_address.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/media/url_gate.h"

namespace sam3 {

// A TCP connection, with TLS for an encrypted scheme, to one of the addresses
// of a URL's host that passed the gate. Closed with this object.
//
// Threads: one at a time. What blocks does so as long as `wait` allows, and
// restarts it when something came. Errors: classes of source_failure.h, and
// wait's.
class CameraSocket {
 public:
  virtual ~CameraSocket() = default;

  // Tries the addresses in turn. `ca_file` is empty for the machine's own
  // certificates.
  static absl::StatusOr<std::unique_ptr<CameraSocket>> Connect(
      const CheckedUrl& url, const std::vector<IpAddress>& addresses,
      const std::string& ca_file, LiveWait& wait);

  virtual absl::Status Send(absl::string_view bytes, LiveWait& wait) = 0;
  // Sends what there is room for now, and nobody cares about failure.
  virtual void SendIfRoom(absl::string_view bytes) = 0;
  // At least one byte; none when the peer has closed the connection.
  virtual absl::StatusOr<std::string> Receive(LiveWait& wait) = 0;
};

}  // namespace sam3
