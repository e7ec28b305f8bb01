#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// How CLIP's tokenizer looks at a text before it merges bytes: Unicode
// normalisation form C, runs of white space as one space, lower case, then
// words. Pure functions; any thread.

bool IsUtf8(absl::string_view text);

// INVALID_ARGUMENT when `text` is not UTF-8.
absl::StatusOr<std::string> NormalizeClipText(absl::string_view text);

// The words of a normalised text, without white space: English contractions,
// runs of letters, single digits, runs of anything else.
std::vector<std::string> SplitClipWords(absl::string_view normalized);

}  // namespace sam3
