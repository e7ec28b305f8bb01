#include "pipeline/media/hls_cursor.h"

#include <algorithm>
#include <utility>

namespace sam3 {
namespace {

// So that the next segments are there while one plays.
constexpr size_t kSegmentsBehind = 3;

}  // namespace

bool HlsCursor::Update(HlsMediaPlaylist playlist) {
  bool news = playlist.ended && !playlist_.ended;
  playlist_ = std::move(playlist);
  if (!playlist_.segments.empty()) {
    const int64_t last = playlist_.segments.back().sequence;
    news = news || last > newest_.value_or(-1);
    newest_ = std::max(newest_.value_or(-1), last);
  }
  return news;
}

std::optional<HlsCursor::Step> HlsCursor::Next() {
  if (playlist_.segments.empty()) return std::nullopt;
  int64_t next = last_.has_value() ? last_->sequence + 1 : Start();
  if (next < playlist_.first_sequence) next = Start();
  const auto found =
      std::lower_bound(playlist_.segments.begin(), playlist_.segments.end(),
                       next, [](const HlsSegment& segment, int64_t sequence) {
                         return segment.sequence < sequence;
                       });
  if (found == playlist_.segments.end()) return std::nullopt;
  Step step{*found};
  step.anew =
      last_.has_value() && (found->discontinuity || found->map != last_->map ||
                            found->sequence != last_->sequence + 1);
  last_ = *found;
  return step;
}

int64_t HlsCursor::Start() const {
  const auto& segments = playlist_.segments;
  const size_t behind = std::min(kSegmentsBehind, segments.size());
  return playlist_.ended ? segments.front().sequence
                         : segments[segments.size() - behind].sequence;
}

}  // namespace sam3
