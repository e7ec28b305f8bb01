#pragma once

#include <cstdint>
#include <optional>

#include "pipeline/media/hls_playlist.h"

namespace sam3 {

// A reader's place in a playlist that is loaded again and again: which segment
// comes next. A playlist that has ended is read from its beginning, a live one
// from its third segment from the end, and again from there when the reader was
// so slow that the next segment is not listed any more. No segment comes twice,
// whatever later playlists list.
//
// Not thread-safe; never blocks.
class HlsCursor {
 public:
  struct Step {
    HlsSegment segment;
    // Does not go on from the step before: marked so, segments between them
    // are missing, or another map is needed. False for the first step.
    bool anew = false;
  };

  // Takes the newest playlist; whether it tells anything new.
  bool Update(HlsMediaPlaylist playlist);

  // Nothing when the newest playlist lists no further segment.
  std::optional<Step> Next();

  // Of the newest playlist.
  bool ended() const { return playlist_.ended; }
  absl::Duration target_duration() const { return playlist_.target_duration; }

 private:
  // Where a reader begins that has no place in the playlist.
  int64_t Start() const;

  HlsMediaPlaylist playlist_;
  // Of the last segment that was ever listed.
  std::optional<int64_t> newest_;
  // Of the last step.
  std::optional<HlsSegment> last_;
};

}  // namespace sam3
