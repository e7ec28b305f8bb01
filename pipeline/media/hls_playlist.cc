#include "pipeline/media/hls_playlist.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr int kMaxLines = 10'000;
constexpr size_t kMaxLineBytes = 16 << 10;
constexpr size_t kMaxSegments = 4096;
constexpr int64_t kMaxSequence = int64_t{1} << 62;
constexpr int64_t kMaxOffset = int64_t{1} << 53;
// A playlist that changes more often than once a second is not asked for more
// often.
constexpr double kLeastTargetSeconds = 1;
constexpr double kMostSeconds = 24 * 3600;

absl::Status Unreadable(absl::string_view what) {
  return SourceFailed(SourceFailure::kCodecUnsupported,
                      absl::StrCat("the HLS playlist ", what));
}

absl::Status BrokenTag(absl::string_view tag) {
  return Unreadable(absl::StrCat("has a broken ", tag, " tag"));
}

// The value of `name` in a list of attributes, without its quotes.
std::optional<std::string> Attribute(absl::string_view list,
                                     absl::string_view name) {
  while (!list.empty()) {
    const size_t equals = list.find('=');
    if (equals == absl::string_view::npos) return std::nullopt;
    const absl::string_view key =
        absl::StripAsciiWhitespace(list.substr(0, equals));
    list.remove_prefix(equals + 1);
    const bool quoted = absl::ConsumePrefix(&list, "\"");
    const size_t end = std::min(list.find(quoted ? '"' : ','), list.size());
    const absl::string_view value = list.substr(0, end);
    if (key == name) {
      return std::string(quoted ? value : absl::StripAsciiWhitespace(value));
    }
    list.remove_prefix(end);
    list.remove_prefix(std::min(list.find(','), list.size()));
    absl::ConsumePrefix(&list, ",");
  }
  return std::nullopt;
}

std::optional<int64_t> Integer(absl::string_view text, int64_t max) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < 0 || value > max) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> SecondsOf(absl::string_view text) {
  double value = 0;
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text), &value) ||
      !std::isfinite(value) || value < 0 || value > kMostSeconds) {
    return std::nullopt;
  }
  return value;
}

// "SIZE" or "SIZE@BEGIN"; without, it begins at `begin`.
std::optional<ByteRange> RangeOf(absl::string_view text,
                                 std::optional<int64_t> begin) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  const std::optional<int64_t> size = Integer(parts.first, kMaxHlsSegmentBytes);
  if (absl::StrContains(text, '@')) begin = Integer(parts.second, kMaxOffset);
  if (!size.has_value() || *size == 0 || !begin.has_value()) {
    return std::nullopt;
  }
  return ByteRange{*begin, *size};
}

// One pass over the lines. What a tag says of the next URI waits for it.
class HlsParser {
 public:
  absl::Status TakeLine(absl::string_view line) {
    if (line.empty()) return absl::OkStatus();
    if (line[0] != '#') return TakeUri(line);
    const size_t colon = std::min(line.find(':'), line.size());
    const absl::string_view tag = line.substr(0, colon);
    const absl::string_view value = absl::StripPrefix(line.substr(colon), ":");
    if (tag == "#EXT-X-STREAM-INF") return TakeStreamInf(value);
    if (tag == "#EXTINF") {
      timed_ = SecondsOf(value.substr(0, value.find(','))).has_value();
      return timed_ ? absl::OkStatus() : BrokenTag(tag);
    }
    if (tag == "#EXT-X-KEY") return TakeKey(value);
    if (tag == "#EXT-X-MAP") return TakeMap(value);
    if (tag == "#EXT-X-BYTERANGE") {
      range_ = std::string(value);
    } else if (tag == "#EXT-X-DISCONTINUITY") {
      discontinuity_ = true;
    } else if (tag == "#EXT-X-GAP") {
      missing_ = true;
    } else if (tag == "#EXT-X-ENDLIST") {
      media_.ended = true;
    } else if (tag == "#EXT-X-PLAYLIST-TYPE") {
      // It may not change any more.
      if (value == "VOD") media_.ended = true;
    } else if (tag == "#EXT-X-TARGETDURATION") {
      const std::optional<double> seconds = SecondsOf(value);
      if (!seconds.has_value()) return BrokenTag(tag);
      media_.target_duration =
          absl::Seconds(std::max(*seconds, kLeastTargetSeconds));
    } else if (tag == "#EXT-X-MEDIA-SEQUENCE") {
      const std::optional<int64_t> first = Integer(value, kMaxSequence);
      if (!first.has_value()) return BrokenTag(tag);
      media_.first_sequence = *first;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<HlsPlaylist> Finish() {
    if (!master_.variants.empty()) {
      if (segments_seen_ > 0) {
        return Unreadable("names both variants and segments");
      }
      return HlsPlaylist(std::move(master_));
    }
    if (media_.target_duration == absl::ZeroDuration()) {
      return Unreadable("has no #EXT-X-TARGETDURATION and no variants");
    }
    for (HlsSegment& segment : media_.segments) {
      segment.sequence += media_.first_sequence;
    }
    return HlsPlaylist(std::move(media_));
  }

 private:
  absl::Status TakeStreamInf(absl::string_view attributes) {
    HlsVariant variant;
    const auto bandwidth = Attribute(attributes, "BANDWIDTH");
    if (bandwidth.has_value()) {
      variant.bandwidth = Integer(*bandwidth, kMaxOffset).value_or(0);
    }
    const auto resolution = Attribute(attributes, "RESOLUTION");
    if (resolution.has_value()) {
      const std::pair<absl::string_view, absl::string_view> sides =
          absl::StrSplit(*resolution, absl::MaxSplits('x', 1));
      const auto width = Integer(sides.first, INT32_MAX);
      const auto height = Integer(sides.second, INT32_MAX);
      if (!width.has_value() || !height.has_value()) {
        return BrokenTag("#EXT-X-STREAM-INF");
      }
      variant.width = *width;
      variant.height = *height;
    }
    variant_ = std::move(variant);
    return absl::OkStatus();
  }

  static absl::Status TakeKey(absl::string_view attributes) {
    if (Attribute(attributes, "METHOD") == "NONE") return absl::OkStatus();
    return SourceFailed(SourceFailure::kCodecUnsupported,
                        "encrypted HLS is not supported; name a playlist whose "
                        "segments are not encrypted");
  }

  absl::Status TakeMap(absl::string_view attributes) {
    HlsResource map{Attribute(attributes, "URI").value_or("")};
    if (map.uri.empty()) return BrokenTag("#EXT-X-MAP");
    const auto range = Attribute(attributes, "BYTERANGE");
    if (range.has_value()) {
      map.range = RangeOf(*range, 0);
      if (!map.range.has_value()) return BrokenTag("#EXT-X-MAP");
    }
    map_ = std::move(map);
    return absl::OkStatus();
  }

  absl::Status TakeUri(absl::string_view uri) {
    if (variant_.has_value()) {
      variant_->uri = std::string(uri);
      master_.variants.push_back(*std::exchange(variant_, std::nullopt));
      return absl::OkStatus();
    }
    // So it is in playlists of songs.
    if (!std::exchange(timed_, false)) {
      return Unreadable("has a segment without #EXTINF");
    }
    HlsSegment segment{{std::string(uri)}, map_};
    segment.discontinuity = std::exchange(discontinuity_, false);
    segment.sequence = segments_seen_++;
    if (range_.has_value()) {
      const bool goes_on = last_.range.has_value() && last_.uri == uri;
      segment.resource.range = RangeOf(
          *range_, goes_on ? std::optional(last_.range->end()) : std::nullopt);
      if (!segment.resource.range.has_value()) {
        return BrokenTag("#EXT-X-BYTERANGE");
      }
      range_.reset();
    }
    last_ = segment.resource;
    if (std::exchange(missing_, false)) return absl::OkStatus();
    if (media_.segments.size() == kMaxSegments) {
      return Unreadable(
          absl::StrCat("has more than ", kMaxSegments, " segments"));
    }
    media_.segments.push_back(std::move(segment));
    return absl::OkStatus();
  }

  HlsMasterPlaylist master_;
  HlsMediaPlaylist media_;
  int64_t segments_seen_ = 0;
  // Of all segments behind it.
  std::optional<HlsResource> map_;
  // Of the next URI.
  std::optional<HlsVariant> variant_;
  std::optional<std::string> range_;
  bool timed_ = false;
  bool discontinuity_ = false;
  bool missing_ = false;
  // Of the last segment.
  HlsResource last_;
};

}  // namespace

absl::StatusOr<HlsPlaylist> ParseHlsPlaylist(absl::string_view text) {
  if (text.size() > kMaxHlsPlaylistBytes) {
    return Unreadable(
        absl::StrCat("has more than ", kMaxHlsPlaylistBytes, " bytes"));
  }
  HlsParser parser;
  int lines = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.size() > kMaxLineBytes) {
      return Unreadable(
          absl::StrCat("has a line of more than ", kMaxLineBytes, " bytes"));
    }
    line = absl::StripAsciiWhitespace(line);
    if (++lines > kMaxLines) {
      return Unreadable(absl::StrCat("has more than ", kMaxLines, " lines"));
    }
    if (lines == 1) {
      if (line != "#EXTM3U") return Unreadable("does not begin with #EXTM3U");
      continue;
    }
    SAM3_RETURN_IF_ERROR(parser.TakeLine(line));
  }
  return parser.Finish();
}

const HlsVariant& PickHlsVariant(const HlsMasterPlaylist& playlist,
                                 const ImageLimits& limits) {
  const std::vector<HlsVariant>& variants = playlist.variants;
  const bool sizes_told =
      std::any_of(variants.begin(), variants.end(),
                  [](const HlsVariant& variant) { return variant.width > 0; });
  const HlsVariant* best = nullptr;
  const HlsVariant* least = nullptr;
  for (const HlsVariant& variant : variants) {
    if (sizes_told && variant.width == 0) continue;
    if (least == nullptr || variant.bandwidth < least->bandwidth) {
      least = &variant;
    }
    const bool fits = variant.width <= limits.max_side &&
                      variant.height <= limits.max_side &&
                      variant.width * variant.height <= limits.max_pixels;
    if (fits && (best == nullptr || variant.bandwidth > best->bandwidth)) {
      best = &variant;
    }
  }
  return best != nullptr ? *best : *least;
}

}  // namespace sam3
