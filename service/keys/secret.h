#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace sam3 {

// Text that must not appear in a log, an error or a metric. It cannot be
// printed, compared or turned into a string by accident: whoever needs the text
// says so. Not thread-safe.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  const std::string& Reveal() const { return text_; }

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  std::string text_;
};

}  // namespace sam3
