#include "service/http/json_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// A request is nested five deep.
constexpr size_t kMaxDepth = 32;
// Of commas, colons and opening brackets; sixteen prompts with sixteen boxes
// have some three thousand.
constexpr int64_t kMaxMarks = 200'000;

// Outside of strings, which are skipped at the speed of memchr.
int64_t CountMarks(absl::string_view text) {
  int64_t count = 0;
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = std::min(text.find('"', at), text.size());
    for (const char c : text.substr(at, open - at)) {
      count +=
          static_cast<int64_t>(c == ',' || c == ':' || c == '[' || c == '{');
    }
    at = open;
    bool escaped = true;
    while (escaped && at < text.size()) {
      at = std::min(text.find('"', at + 1), text.size());
      size_t slash = at;
      while (text[slash - 1] == '\\') --slash;
      escaped = (at - slash) % 2 == 1;
    }
    ++at;
  }
  return count;
}

absl::string_view TextOf(element value) {
  const std::string_view text = value.get_string().value_unsafe();
  return {text.data(), text.size()};
}

}  // namespace

std::optional<double> NumberIn(element value) {
  double number = 0;
  if (value.is_string()) {
    if (!absl::SimpleAtod(absl::StripAsciiWhitespace(TextOf(value)), &number)) {
      return std::nullopt;
    }
  } else if (value.is_bool()) {
    number = value.get_bool().value_unsafe() ? 1 : 0;
  } else if (value.get_double().get(number) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<bool> FlagIn(element value) {
  if (value.is_bool()) return value.get_bool().value_unsafe();
  if (value.is_string()) {
    const std::string word = absl::AsciiStrToLower(TextOf(value));
    for (const char* yes : {"true", "1", "yes", "y", "on", "t"}) {
      if (word == yes) return true;
    }
    for (const char* no : {"false", "0", "no", "n", "off", "f"}) {
      if (word == no) return false;
    }
    return std::nullopt;
  }
  const std::optional<double> number = NumberIn(value);
  if (number == 0.0) return false;
  if (number == 1.0) return true;
  return std::nullopt;
}

std::optional<element> JsonFields::Find(absl::string_view name) const {
  std::optional<element> found;
  for (const auto& [key, value] : object_) {
    if (absl::string_view(key.data(), key.size()) == name) found = value;
  }
  if (found.has_value() && found->is_null()) return std::nullopt;
  return found;
}

std::optional<element> JsonFields::Require(absl::string_view name) const {
  std::optional<element> found = Find(name);
  if (!found.has_value()) Problem(PathOf(name), "missing", "Field required");
  return found;
}

std::optional<absl::string_view> JsonFields::Text(
    absl::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found.has_value()) return std::nullopt;
  if (found->is_string()) return TextOf(*found);
  Problem(PathOf(name), "string_type", "Input should be a valid string");
  return std::nullopt;
}

std::optional<double> JsonFields::Number(absl::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found.has_value()) return std::nullopt;
  const std::optional<double> number = NumberIn(*found);
  if (!number.has_value()) {
    Problem(PathOf(name), "float_type", "Input should be a valid number");
  }
  return number;
}

std::optional<double> JsonFields::RequireNumber(absl::string_view name) const {
  if (!Require(name).has_value()) return std::nullopt;
  return Number(name);
}

std::optional<bool> JsonFields::Flag(absl::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found.has_value()) return std::nullopt;
  const std::optional<bool> flag = FlagIn(*found);
  if (!flag.has_value()) {
    Problem(PathOf(name), "bool_type", "Input should be a valid boolean");
  }
  return flag;
}

std::optional<JsonFields> JsonFields::Object(absl::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found.has_value()) return std::nullopt;
  return ObjectAt(*found, PathOf(name));
}

std::optional<std::vector<element>> JsonFields::List(
    absl::string_view name) const {
  const std::optional<element> found = Find(name);
  if (!found.has_value()) return std::nullopt;
  simdjson::dom::array array;
  if (found->get_array().get(array) != simdjson::SUCCESS) {
    Problem(PathOf(name), "list_type", "Input should be a valid list");
    return std::nullopt;
  }
  return std::vector<element>(array.begin(), array.end());
}

std::optional<JsonFields> JsonFields::ObjectAt(element value,
                                               std::string path) const {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) {
    Problem(std::move(path), "model_attributes_type",
            "Input should be a valid dictionary or object");
    return std::nullopt;
  }
  return JsonFields(object, std::move(path), problems_);
}

std::string JsonFields::PathOf(absl::string_view name) const {
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", name);
}

JsonBody::JsonBody(std::string text, RequestProblems* problems)
    : text_(std::move(text)) {
  const absl::StatusOr<simdjson::dom::object> root = Parse();
  if (root.ok()) {
    fields_.emplace(*root, "", problems);
  } else if (text_.empty()) {
    problems->Add("", "missing", "Field required");
  } else {
    problems->Add("",
                  root.status().code() == absl::StatusCode::kInvalidArgument
                      ? "json_invalid"
                      : "model_attributes_type",
                  std::string(root.status().message()));
  }
}

absl::StatusOr<simdjson::dom::object> JsonBody::Parse() {
  if (CountMarks(text_) > kMaxMarks) {
    return absl::InvalidArgumentError("The body has too many members");
  }
  const size_t size = text_.size();
  text_.reserve(size + simdjson::SIMDJSON_PADDING);
  element root;
  simdjson::error_code error = parser_.allocate(size, kMaxDepth);
  if (error == simdjson::SUCCESS) {
    error = parser_.parse(text_.data(), size, /*realloc_if_needed=*/false)
                .get(root);
  }
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON decode error: ", simdjson::error_message(error)));
  }
  simdjson::dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) {
    return absl::FailedPreconditionError(
        "Input should be a valid dictionary or object");
  }
  return object;
}

}  // namespace sam3
