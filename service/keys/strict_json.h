#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// Parses JSON that people write by hand. INVALID_ARGUMENT names line and column
// of what cannot be read, and members that come twice, of which a lenient
// parser would silently take one; it repeats no values. Pure; any thread.
absl::StatusOr<nlohmann::ordered_json> ParseStrictJson(absl::string_view text);

}  // namespace sam3
