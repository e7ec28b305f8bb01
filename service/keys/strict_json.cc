#include "service/keys/strict_json.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

using Json = nlohmann::ordered_json;

// Hears every token and keeps none.
class SyntaxListener final : public nlohmann::json_sax<Json> {
 public:
  explicit SyntaxListener(absl::string_view text) : text_(text) {}

  const std::string& complaint() const { return complaint_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool start_object(std::size_t) override {
    members_.emplace_back();
    return true;
  }
  bool end_object() override {
    members_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    if (members_.back().insert(name).second) return true;
    complaint_ = absl::StrCat("\"", name, "\" comes twice in one object");
    return false;
  }
  // `position` counts the characters that were read, the wrong one included.
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    const absl::string_view read =
        text_.substr(0, position == 0 ? 0 : position - 1);
    const auto line = 1 + std::count(read.begin(), read.end(), '\n');
    const size_t before = read.rfind('\n');
    const size_t column =
        read.size() - (before == absl::string_view::npos ? 0 : before + 1) + 1;
    complaint_ = absl::StrCat("line ", line, ", column ", column,
                              ": no JSON from here on");
    return false;
  }

 private:
  const absl::string_view text_;
  // Of the objects that are open.
  std::vector<std::set<std::string>> members_;
  std::string complaint_;
};

}  // namespace

absl::StatusOr<Json> ParseStrictJson(absl::string_view text) {
  SyntaxListener listener(text);
  if (!Json::sax_parse(text.begin(), text.end(), &listener)) {
    return absl::InvalidArgumentError(listener.complaint());
  }
  return Json::parse(text.begin(), text.end(), nullptr,
                     /*allow_exceptions=*/false);
}

}  // namespace sam3
