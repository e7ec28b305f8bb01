#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/http/http_error.h"

namespace sam3 {

// One JSON object of a request and the way to it. Reads its members as
// pydantic does: a number may come as a string of digits, a flag as 0, 1 or a
// word, null is the same as nothing, of members with one name the last counts,
// unknown ones are ignored. What has the wrong type becomes a problem and reads
// as absent. Cheap to copy; valid as long as the document and the problems are.
class JsonFields {
 public:
  JsonFields(simdjson::dom::object object, std::string path,
             RequestProblems* problems)
      : object_(object), path_(std::move(path)), problems_(problems) {}

  // The member, if there is one that is not null.
  std::optional<simdjson::dom::element> Find(absl::string_view name) const;
  // The same; its absence is a problem.
  std::optional<simdjson::dom::element> Require(absl::string_view name) const;

  std::optional<absl::string_view> Text(absl::string_view name) const;
  std::optional<double> Number(absl::string_view name) const;
  std::optional<double> RequireNumber(absl::string_view name) const;
  std::optional<bool> Flag(absl::string_view name) const;
  std::optional<JsonFields> Object(absl::string_view name) const;
  // Members of a list; a list of something else is the caller's to notice.
  std::optional<std::vector<simdjson::dom::element>> List(
      absl::string_view name) const;

  // `value`, which lies at `path`, as an object.
  std::optional<JsonFields> ObjectAt(simdjson::dom::element value,
                                     std::string path) const;

  // Path of a member, as in "prompts[0].text".
  std::string PathOf(absl::string_view name) const;
  void Problem(std::string path, std::string type, std::string message) const {
    problems_->Add(std::move(path), std::move(type), std::move(message));
  }

 private:
  simdjson::dom::object object_;
  std::string path_;
  RequestProblems* problems_;
};

// 1.5, "1.5" or true as a number; what is not finite is none.
std::optional<double> NumberIn(simdjson::dom::element value);
// true, 1, "yes"... as a flag.
std::optional<bool> FlagIn(simdjson::dom::element value);

// A parsed body. Keeps the text that its strings lie in.
class JsonBody {
 public:
  // Takes the text over. What is no JSON object, is nested deeper than any
  // request, or has more members than any request is a problem; then there are
  // no fields. Pictures in base64 cost little more than being looked at.
  JsonBody(std::string text, RequestProblems* problems);
  JsonBody(const JsonBody&) = delete;
  JsonBody& operator=(const JsonBody&) = delete;

  const std::optional<JsonFields>& fields() const { return fields_; }

 private:
  // INVALID_ARGUMENT for what is no JSON, FAILED_PRECONDITION for another kind
  // of value.
  absl::StatusOr<simdjson::dom::object> Parse();

  std::string text_;
  simdjson::dom::parser parser_;
  std::optional<JsonFields> fields_;
};

}  // namespace sam3
