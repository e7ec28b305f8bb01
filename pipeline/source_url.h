#pragma once

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// A URL as a client wrote it. Users put passwords and signatures into URLs, so
// the text is for fetching alone; messages and logs get redacted(), and the
// type has no other way to be printed. Immutable.
class SourceUrl {
 public:
  SourceUrl() = default;
  explicit SourceUrl(std::string text) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }

  // Without user, password, query and fragment, on one short line.
  std::string redacted() const {
    constexpr size_t kMaxBytes = 200;
    absl::string_view shown = text_;
    shown = shown.substr(0, shown.find_first_of("?#"));
    // Where the user part ends is a matter of opinion in a malformed URL.
    if (shown.find('@') != absl::string_view::npos) return "[withheld]";
    const bool cut = shown.size() > kMaxBytes;
    std::string out;
    for (const char c : shown.substr(0, kMaxBytes)) {
      out += absl::ascii_isgraph(static_cast<unsigned char>(c)) ? c : '.';
    }
    return cut ? absl::StrCat(out, "...") : out;
  }

 private:
  std::string text_;
};

}  // namespace sam3
