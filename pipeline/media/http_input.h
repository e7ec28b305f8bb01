#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pipeline/media/byte_range.h"
#include "pipeline/media/live_access.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/url_gate.h"

namespace sam3 {

// The body of an http(s) answer, which may be endless, pulled: nothing is
// received ahead of what is read but a bounded buffer. Every request on the way
// goes through the gate (see GatedRequest), redirects are new URLs, and the
// user's name and password are sent where the host asks for them (basic or
// digest).
//
// Threads: as LiveInput.
class HttpInput : public LiveInput {
 public:
  // Asks for all of `url`, or for `range` of it alone. Blocks until the first
  // byte of a good answer is there, `deadline` at most. Errors: the gate's
  // refusals, classes of source_failure.h, the context's status.
  static absl::StatusOr<std::unique_ptr<HttpInput>> Open(
      const CheckedUrl& url, const std::optional<ByteRange>& range,
      const LiveAccess& access, absl::Time deadline);

  // Where the answer came from, behind all redirects.
  virtual const CheckedUrl& url() const = 0;

  // Of the answer, as it was sent.
  virtual std::string content_type() const = 0;

  // Blocks, as Read() does, until `size` bytes are there, which stay to be
  // read; fewer when there will be no more, or as many do not fit. Valid until
  // the next call.
  virtual absl::string_view Peek(size_t size) = 0;

  // The body is a file's: an answer that does not tell where it ends does so
  // with its connection. Otherwise that is a loss.
  virtual void EndWithConnection() = 0;
};

}  // namespace sam3
