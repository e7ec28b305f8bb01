#pragma once

#include <cstddef>
#include <string>

#include "absl/time/time.h"

namespace sam3 {

// How long a live source may take for what, and how much it may say. A value.
struct LiveLimits {
  // From the first look-up of its name to its first bytes of video, redirects
  // included.
  absl::Duration open_timeout = absl::Seconds(10);
  // Without a byte: the client has been told by then, and later the connection
  // is given up. Longer where pictures are known to be far apart, see LiveWait.
  absl::Duration stall_after = absl::Seconds(2);
  absl::Duration give_up_after = absl::Seconds(8);
  // To the first picture and from one to the next, however many bytes come;
  // some cameras send a picture that can be decoded by itself every 20 s.
  absl::Duration picture_timeout = absl::Seconds(30);
  // Connections a second that all sources of the process open together.
  int max_connects_per_second = 10;
  int max_redirects = 3;
  // Of one answer's headers, and of a session description.
  size_t max_header_bytes = 64 << 10;
  // Whose signatures are believed, in PEM; empty for the machine's own.
  std::string ca_file;
};

}  // namespace sam3
