#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sam3 {

// Text for a terminal, measured in its columns: a Chinese character takes two,
// an accent that is put on a letter none. What is no UTF-8 and what a terminal
// would obey is shown as "?". Pure functions; any thread.

// At most `columns` of `text`; what is cut off leaves a "…".
std::string FitColumns(absl::string_view text, int columns);

// The same, and spaces up to `columns`.
std::string PadColumns(absl::string_view text, int columns);

}  // namespace sam3
