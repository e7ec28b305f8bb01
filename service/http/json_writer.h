#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace sam3 {

// Writes a JSON text from front to back, without a tree: answers are mostly
// coordinates. The caller opens and closes in order. Not thread-safe.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(absl::string_view name);
  // Bytes that are no UTF-8 become U+FFFD.
  JsonWriter& Text(absl::string_view value);
  JsonWriter& Integer(int64_t value);
  // The shortest text that reads back as the same number, never as an integer;
  // null for what is not finite.
  JsonWriter& Number(float value);
  JsonWriter& Number(double value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  // A text that is JSON already.
  JsonWriter& Raw(absl::string_view json);

  std::string Take() { return std::move(out_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string out_;
  bool comma_ = false;
};

}  // namespace sam3
