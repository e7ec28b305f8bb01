#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// Names and values in the order in which they came.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The first value of `name`, whose case does not matter.
inline std::optional<absl::string_view> FindField(const HttpFields& fields,
                                                  absl::string_view name) {
  for (const auto& [key, value] : fields) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return std::nullopt;
}

// One request, whole.
struct HttpRequest {
  std::string method;
  std::string path;  // percent-decoded, without the query
  HttpFields query;  // percent-decoded
  HttpFields headers;
  std::string body;
  std::string peer;  // address that it came from, without the port
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  HttpFields headers = {};
  std::string body = {};
};

}  // namespace sam3
