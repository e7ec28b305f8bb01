#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/http/message.h"

namespace sam3 {

// The API key that a request presents outside its body: `api_key` in the query,
// else a bearer token; empty when there is none. The body's `api_key` comes
// last, since it takes parsing. Pure; any thread. Never to be logged.
absl::string_view PresentedKey(const HttpRequest& request);

// Who asks, as far as that is known.
struct HttpIdentity {
  std::string tenant;
};

// Says whom a key belongs to and whether it may use `scope`: UNAUTHENTICATED
// for no key or a wrong one, PERMISSION_DENIED for one that may not. Any
// thread; does not block.
using HttpAuthorize = std::function<absl::StatusOr<HttpIdentity>(
    absl::string_view key, absl::string_view scope)>;

}  // namespace sam3
