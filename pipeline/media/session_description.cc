#include "pipeline/media/session_description.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

// As rtpmap names them.
constexpr absl::string_view kCodecs[] = {"H264",    "H265", "JPEG",
                                         "MP4V-ES", "VP8",  "VP9"};
// Motion JPEG, the one video that needs no rtpmap and that cameras have.
constexpr int kStaticJpeg = 26;
// What FFmpeg reads of a description.
constexpr size_t kMaxDescriptionBytes = 16'000;

bool IsKnownCodec(absl::string_view name) {
  return std::any_of(std::begin(kCodecs), std::end(kCodecs),
                     [name](absl::string_view known) {
                       return absl::EqualsIgnoreCase(name, known);
                     });
}

// One m= line and the a= lines below it.
struct Media {
  std::string line;
  std::vector<std::string> attributes;
};

std::vector<Media> SplitMedia(absl::string_view description) {
  // The first are the session's own lines.
  std::vector<Media> media(1);
  for (absl::string_view line : absl::StrSplit(description, '\n')) {
    line = absl::StripTrailingAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "m=")) {
      media.push_back({std::string(line), {}});
    } else if (absl::ConsumePrefix(&line, "a=")) {
      media.back().attributes.emplace_back(line);
    }
  }
  return media;
}

// What stands behind "name:" and the payload type, where one is given.
std::string Attribute(const Media& media, absl::string_view name,
                      absl::string_view payload_type = "") {
  for (const std::string& attribute : media.attributes) {
    absl::string_view rest = attribute;
    if (!absl::ConsumePrefix(&rest, absl::StrCat(name, ":"))) continue;
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (payload_type.empty()) return std::string(rest);
    if (!absl::ConsumePrefix(&rest, absl::StrCat(payload_type, " "))) continue;
    return std::string(absl::StripLeadingAsciiWhitespace(rest));
  }
  return "";
}

bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

// True and filled in when `media` is a video that can be taken.
bool Offer(const Media& media, OfferedVideo* out) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(media.line, ' ', absl::SkipEmpty());
  if (words.size() < 4 || words[0] != "video" ||
      !absl::StartsWith(words[2], "RTP/AVP")) {
    return false;
  }
  for (size_t i = 3; i < words.size(); ++i) {
    if (!absl::SimpleAtoi(words[i], &out->payload_type) ||
        out->payload_type < 0 || out->payload_type > 127) {
      continue;
    }
    const std::string map = Attribute(media, "rtpmap", words[i]);
    const absl::string_view codec =
        absl::string_view(map).substr(0, map.find('/'));
    if (!(map.empty() ? out->payload_type == kStaticJpeg
                      : IsKnownCodec(codec))) {
      continue;
    }
    out->control = Attribute(media, "control");
    out->description =
        absl::StrCat("v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\n",
                     "c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP ",
                     out->payload_type, "\r\n");
    if (!map.empty()) {
      absl::StrAppend(&out->description, "a=rtpmap:", out->payload_type, " ",
                      map, "\r\n");
    }
    const std::string format = Attribute(media, "fmtp", words[i]);
    if (!format.empty()) {
      absl::StrAppend(&out->description, "a=fmtp:", out->payload_type, " ",
                      format, "\r\n");
    }
    const std::string rate = Attribute(media, "framerate");
    if (!rate.empty()) {
      absl::StrAppend(&out->description, "a=framerate:", rate, "\r\n");
    }
    return IsPrintable(out->control) &&
           out->description.size() <= kMaxDescriptionBytes;
  }
  return false;
}

}  // namespace

absl::StatusOr<OfferedVideo> FindVideo(absl::string_view description) {
  const std::vector<Media> media = SplitMedia(description);
  for (const Media& one : media) {
    OfferedVideo video;
    if (one.line.empty() || !Offer(one, &video)) continue;
    video.session_control = Attribute(media.front(), "control");
    if (IsPrintable(video.session_control)) return video;
  }
  return SourceFailed(SourceFailure::kCodecUnsupported,
                      "the source offers no video that can be decoded");
}

}  // namespace sam3
