#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pipeline/media/byte_range.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {

inline constexpr size_t kMaxHlsPlaylistBytes = 1 << 20;
inline constexpr int64_t kMaxHlsSegmentBytes = int64_t{256} << 20;

// What a playlist names for a request: URIs are as written, relative to the
// playlist's own URL, and nobody has checked them.
struct HlsResource {
  std::string uri;
  // The whole where there is none.
  std::optional<ByteRange> range = {};

  bool operator==(const HlsResource&) const = default;
};

struct HlsSegment {
  HlsResource resource;
  // What a decoder must have read before.
  std::optional<HlsResource> map = {};
  // Its number; grows by one a segment, and those that are missing count.
  int64_t sequence = 0;
  // Does not go on from the segment before.
  bool discontinuity = false;
};

// One recording, in pieces.
struct HlsMediaPlaylist {
  // Without those that the playlist says to be missing.
  std::vector<HlsSegment> segments;
  // The number that the first segment has, or had, if it is missing.
  int64_t first_sequence = 0;
  // At least a second; how often a live playlist changes.
  absl::Duration target_duration;
  // Whether no more segments will be added.
  bool ended = false;
};

struct HlsVariant {
  std::string uri;
  int64_t bandwidth = 0;
  // 0 where the playlist does not say.
  int64_t width = 0;
  int64_t height = 0;
};

// The same recording in several sizes; at least one.
struct HlsMasterPlaylist {
  std::vector<HlsVariant> variants;
};

using HlsPlaylist = std::variant<HlsMasterPlaylist, HlsMediaPlaylist>;

// Reads a playlist of HTTP Live Streaming (RFC 8216). Tags that change nothing
// for a reader of video are skipped. Pure; any thread. INVALID_ARGUMENT
// (CODEC_UNSUPPORTED of source_failure.h) for what is none, is encrypted, or is
// larger than any that a player would take.
absl::StatusOr<HlsPlaylist> ParseHlsPlaylist(absl::string_view text);

// Of the variants whose size is within `limits` the one with the most bits a
// second; when there is none, the one with the least. Variants that tell no
// size count only where none does: the others' are sound. Pure.
const HlsVariant& PickHlsVariant(const HlsMasterPlaylist& playlist,
                                 const ImageLimits& limits);

}  // namespace sam3
