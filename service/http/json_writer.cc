#include "service/http/json_writer.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

template <typename Real>
void AppendReal(Real value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  const absl::string_view digits(buffer, static_cast<size_t>(end - buffer));
  absl::StrAppend(out, digits);
  if (digits.find_first_of(".e") == absl::string_view::npos) {
    out->append(".0");
  }
}

}  // namespace

JsonWriter& JsonWriter::Key(absl::string_view name) {
  Text(name);
  out_.push_back(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Text(absl::string_view value) {
  Separate();
  out_ += nlohmann::json(std::string(value))
              .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return *this;
}

JsonWriter& JsonWriter::Integer(int64_t value) {
  Separate();
  absl::StrAppend(&out_, value);
  return *this;
}

JsonWriter& JsonWriter::Number(float value) {
  Separate();
  AppendReal(value, &out_);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  Separate();
  AppendReal(value, &out_);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  return Raw(value ? "true" : "false");
}

JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Raw(absl::string_view json) {
  Separate();
  absl::StrAppend(&out_, json);
  return *this;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  out_.push_back(bracket);
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  out_.push_back(bracket);
  comma_ = true;
  return *this;
}

void JsonWriter::Separate() {
  if (comma_) out_.push_back(',');
  comma_ = true;
}

}  // namespace sam3
