#include "pipeline/media/rtsp_message.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr size_t kInterleavedHeaderBytes = 4;

absl::Status NoRtsp(absl::string_view what) {
  return SourceFailed(SourceFailure::kConnection, what);
}

// "RTSP/1.0 200 OK", or "OPTIONS rtsp://... RTSP/1.0".
absl::Status ParseStartLine(absl::string_view line, RtspMessage* out) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  const bool answer = absl::StartsWith(line, "RTSP/1.");
  if (answer && words.size() >= 2 && words[1].size() == 3 &&
      absl::SimpleAtoi(words[1], &out->status) && out->status >= 100) {
    return absl::OkStatus();
  }
  const bool upper = std::all_of(words[0].begin(), words[0].end(), [](char c) {
    return absl::ascii_isupper(c) || c == '_';
  });
  if (!answer && words.size() == 3 && !words[0].empty() && upper &&
      absl::StartsWith(words[2], "RTSP/1.")) {
    out->method = std::string(words[0]);
    return absl::OkStatus();
  }
  return NoRtsp("the host does not speak RTSP");
}

absl::Status ParseHead(absl::string_view head, RtspMessage* out) {
  bool first = true;
  for (absl::string_view line : absl::StrSplit(head, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (first) {
      SAM3_RETURN_IF_ERROR(ParseStartLine(line, out));
      first = false;
      continue;
    }
    for (const char c : line) {
      if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t') {
        return NoRtsp("an RTSP header has control characters");
      }
    }
    // A folded line goes on with the header before it.
    if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) {
      if (out->headers.empty()) return NoRtsp("an RTSP header has no name");
      out->headers.back().second += std::string(line);
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || colon == 0) {
      return NoRtsp("an RTSP header has no name");
    }
    out->headers.emplace_back(
        absl::StripAsciiWhitespace(line.substr(0, colon)),
        absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return absl::OkStatus();
}

// Where the headers end and where the body begins.
constexpr size_t kMaxHeadEndBytes = 4;
struct HeadEnd {
  size_t head = 0;
  size_t body = 0;
};
std::optional<HeadEnd> FindHeadEnd(absl::string_view text) {
  const size_t crlf = text.find("\r\n\r\n");
  const size_t lf = text.find("\n\n");
  if (crlf == absl::string_view::npos && lf == absl::string_view::npos) {
    return std::nullopt;
  }
  return crlf < lf ? HeadEnd{crlf, crlf + 4} : HeadEnd{lf, lf + 2};
}

}  // namespace

std::string RtspMessage::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

RtspParser::RtspParser(size_t max_message_bytes)
    : max_message_bytes_(max_message_bytes) {}

void RtspParser::Append(absl::string_view bytes) {
  buffer_.append(bytes.data(), bytes.size());
}

absl::StatusOr<std::optional<RtspItem>> RtspParser::Next() {
  if (buffer_.empty()) return std::optional<RtspItem>();
  if (buffer_[0] != '$') return NextMessage();
  if (buffer_.size() < kInterleavedHeaderBytes) {
    return std::optional<RtspItem>();
  }
  const auto byte = [this](size_t i) {
    return static_cast<size_t>(static_cast<unsigned char>(buffer_[i]));
  };
  const size_t size = (byte(2) << 8) | byte(3);
  if (buffer_.size() < kInterleavedHeaderBytes + size) {
    return std::optional<RtspItem>();
  }
  InterleavedPacket packet{static_cast<int>(byte(1)),
                           buffer_.substr(kInterleavedHeaderBytes, size)};
  buffer_.erase(0, kInterleavedHeaderBytes + size);
  return std::optional<RtspItem>(std::move(packet));
}

absl::StatusOr<std::optional<RtspItem>> RtspParser::NextMessage() {
  // Between messages some servers send line ends.
  const size_t begin = buffer_.find_first_not_of("\r\n");
  buffer_.erase(0, std::min(begin, buffer_.size()));
  if (buffer_.empty()) return std::optional<RtspItem>();
  if (buffer_[0] == '$') return Next();
  const std::optional<HeadEnd> end = FindHeadEnd(buffer_);
  // What may belong to the end does not count, so that a message is refused or
  // not however it is cut.
  const size_t least_head =
      std::max(buffer_.find_last_not_of("\r\n") + 1,
               buffer_.size() - std::min(buffer_.size(), kMaxHeadEndBytes - 1));
  if ((end.has_value() ? end->head : least_head) > max_message_bytes_) {
    return NoRtsp("the headers of an RTSP message are too long");
  }
  if (!end.has_value()) {
    // What begins otherwise will not become a message by waiting.
    const size_t line_end = buffer_.find('\n');
    RtspMessage ignored;
    if (line_end != std::string::npos) {
      SAM3_RETURN_IF_ERROR(ParseStartLine(
          absl::StripSuffix(absl::string_view(buffer_).substr(0, line_end),
                            "\r"),
          &ignored));
    }
    return std::optional<RtspItem>();
  }
  RtspMessage message;
  SAM3_RETURN_IF_ERROR(
      ParseHead(absl::string_view(buffer_).substr(0, end->head), &message));
  size_t length = 0;
  const std::string told = message.Header("Content-Length");
  if (!told.empty() && !absl::SimpleAtoi(told, &length)) {
    return NoRtsp("the length of an RTSP message is no number");
  }
  if (length > max_message_bytes_) {
    return NoRtsp("the body of an RTSP message is too long");
  }
  if (buffer_.size() - end->body < length) return std::optional<RtspItem>();
  message.body = buffer_.substr(end->body, length);
  buffer_.erase(0, end->body + length);
  return std::optional<RtspItem>(std::move(message));
}

std::string RtspParameter(absl::string_view header, absl::string_view name) {
  for (absl::string_view part : absl::StrSplit(header, ';')) {
    part = absl::StripAsciiWhitespace(part);
    const size_t equals = part.find('=');
    if (equals == absl::string_view::npos ||
        !absl::EqualsIgnoreCase(
            absl::StripAsciiWhitespace(part.substr(0, equals)), name)) {
      continue;
    }
    absl::string_view value =
        absl::StripAsciiWhitespace(part.substr(equals + 1));
    if (absl::ConsumePrefix(&value, "\"")) absl::ConsumeSuffix(&value, "\"");
    return std::string(value);
  }
  return "";
}

}  // namespace sam3
