#include "service/http/presented_key.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace sam3 {

absl::string_view PresentedKey(const HttpRequest& request) {
  constexpr absl::string_view kBearer = "bearer ";
  const auto query = FindField(request.query, "api_key");
  if (query.has_value() && !query->empty()) return *query;
  const auto header = FindField(request.headers, "authorization");
  if (!header.has_value() || !absl::StartsWithIgnoreCase(*header, kBearer)) {
    return "";
  }
  return absl::StripAsciiWhitespace(header->substr(kBearer.size()));
}

}  // namespace sam3
