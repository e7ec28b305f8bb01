#pragma once

#include "absl/strings/string_view.h"
#include "service/http/message.h"

namespace sam3 {

// The API key that a request presents outside its body: `api_key` in the query,
// else a bearer token; empty when there is none. The body's `api_key` comes
// last, since it takes parsing. Pure; any thread. Never to be logged.
absl::string_view PresentedKey(const HttpRequest& request);

}  // namespace sam3
