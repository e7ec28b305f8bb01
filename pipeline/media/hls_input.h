#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pipeline/media/http_input.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/media/live_access.h"
#include "pipeline/media/live_input.h"

namespace sam3 {

// The segments of an HLS playlist as the one stream of bytes that they were cut
// from, each behind its map where it has one. Every URI of a playlist goes
// through the gate as a redirect would, and every request as HttpInput's do:
// the player that a playlist can lead elsewhere is not there. A part ends where
// the segments do not go on from each other.
//
// A live playlist is loaded again as often as it says; waiting for a segment
// that is not due is no silence.
//
// Threads: as LiveInput. Read() blocks for requests and between them. Errors:
// the gate's refusals, classes of source_failure.h, RESOURCE_EXHAUSTED for a
// segment that is too large, the context's status.
class HlsInput : public LiveInput {
 public:
  // `answer` has a playlist for its body. Of a master playlist the variant that
  // PickHlsVariant() picks is played. Blocks until the first segment's first
  // byte is there, `deadline` at most.
  static absl::StatusOr<std::unique_ptr<HlsInput>> Open(
      std::unique_ptr<HttpInput> answer, const ImageLimits& picture_limits,
      const LiveAccess& access, absl::Time deadline);

  // Whether segments appear while they are recorded.
  virtual bool live() const = 0;
};

// Whether an answer's body is a playlist, by its type or its first bytes, which
// are waited for.
bool IsHlsPlaylist(HttpInput& answer);

}  // namespace sam3
