#include "pipeline/media/multipart_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kMaxHeaderBytes = 8 << 10;
constexpr size_t kMaxLineEndBytes = 2;

// Behind the delimiter's line, in a part's headers; nothing when they do not
// tell it.
std::optional<size_t> LengthIn(absl::string_view headers) {
  for (const absl::string_view line : absl::StrSplit(headers, '\n')) {
    size_t length = 0;
    if (absl::StartsWithIgnoreCase(line, "content-length:") &&
        absl::SimpleAtoi(
            absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)),
            &length)) {
      return length;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> MultipartBoundary(absl::string_view content_type) {
  if (!absl::StartsWithIgnoreCase(content_type, "multipart/")) {
    return std::nullopt;
  }
  for (absl::string_view parameter : absl::StrSplit(content_type, ';')) {
    parameter = absl::StripAsciiWhitespace(parameter);
    if (!absl::StartsWithIgnoreCase(parameter, "boundary=")) continue;
    absl::string_view value = parameter.substr(parameter.find('=') + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    while (absl::ConsumePrefix(&value, "-")) {
    }
    if (value.empty()) return std::nullopt;
    return std::string(value);
  }
  return std::nullopt;
}

MultipartReader::MultipartReader(ByteReader& bytes, absl::string_view boundary,
                                 size_t max_part_bytes)
    : bytes_(bytes),
      delimiter_(absl::StrCat("--", boundary)),
      max_part_bytes_(max_part_bytes) {}

absl::StatusOr<std::optional<std::string>> MultipartReader::Next() {
  // A part begins behind the delimiter's line and ends with an empty one; the
  // last delimiter of all has no part behind it.
  const auto delimiter = Find(delimiter_, 0, max_part_bytes_);
  if (!delimiter.has_value()) {
    if (ended_) return std::optional<std::string>();
    return SourceFailed(SourceFailure::kCodecUnsupported,
                        "the parts that were announced do not come");
  }
  buffer_.erase(0, *delimiter + delimiter_.size());
  size_t headers_end = 0;
  size_t body = 0;
  while (true) {
    const auto line_end = Find("\n", headers_end, kMaxHeaderBytes);
    if (!line_end.has_value() || *line_end > kMaxHeaderBytes) {
      if (ended_) return std::optional<std::string>();
      return SourceFailed(SourceFailure::kCodecUnsupported,
                          "a part's headers are too long");
    }
    const absl::string_view line =
        absl::StripAsciiWhitespace(absl::string_view(buffer_).substr(
            headers_end, *line_end - headers_end));
    const bool first = headers_end == 0;
    headers_end = *line_end + 1;
    body = headers_end;
    if (!first && line.empty()) break;
  }
  const std::optional<size_t> length =
      LengthIn(absl::string_view(buffer_).substr(0, headers_end));
  buffer_.erase(0, body);
  return length.has_value() ? Body(*length) : BodyUpToDelimiter();
}

absl::StatusOr<std::optional<std::string>> MultipartReader::Body(
    size_t length) {
  if (length > max_part_bytes_) return TooLong("tells that it has");
  while (buffer_.size() < length) {
    if (!Fill()) return std::optional<std::string>();
  }
  std::string body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return std::optional<std::string>(std::move(body));
}

absl::StatusOr<std::optional<std::string>>
MultipartReader::BodyUpToDelimiter() {
  const auto end = Find(delimiter_, 0, max_part_bytes_ + kMaxLineEndBytes);
  if (!end.has_value()) {
    if (ended_) return std::optional<std::string>();
    return TooLong("has");
  }
  // The line end before a delimiter belongs to it, and so do more dashes.
  absl::string_view body = absl::string_view(buffer_).substr(0, *end);
  while (absl::ConsumeSuffix(&body, "-")) {
  }
  if (!absl::ConsumeSuffix(&body, "\r\n")) absl::ConsumeSuffix(&body, "\n");
  if (body.size() > max_part_bytes_) return TooLong("has");
  std::string out(body);
  buffer_.erase(0, *end);
  return std::optional<std::string>(std::move(out));
}

absl::Status MultipartReader::TooLong(absl::string_view what) const {
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat(
          "a picture ", what, " more than ", max_part_bytes_, " bytes")),
      reason::kMediaTooLarge);
}

std::optional<size_t> MultipartReader::Find(absl::string_view text, size_t from,
                                            size_t max_bytes) {
  size_t at = from;
  while (true) {
    const size_t found = buffer_.find(text.data(), at, text.size());
    if (found != std::string::npos) {
      return found - from <= max_bytes ? std::optional(found) : std::nullopt;
    }
    if (buffer_.size() >= from + max_bytes + text.size()) return std::nullopt;
    // A match may begin at the end of what is there.
    at = std::max(from,
                  buffer_.size() - std::min(buffer_.size(), text.size() - 1));
    if (!Fill()) return std::nullopt;
  }
}

bool MultipartReader::Fill() {
  if (ended_) return false;
  const size_t size = buffer_.size();
  buffer_.resize(size + kReadBytes);
  const int64_t count = bytes_.Read(
      reinterpret_cast<uint8_t*>(buffer_.data()) + size, kReadBytes);
  ended_ = count <= 0;
  buffer_.resize(size + static_cast<size_t>(std::max<int64_t>(count, 0)));
  return !ended_;
}

}  // namespace sam3
