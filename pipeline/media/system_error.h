#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// UNAVAILABLE: what is not to be had from the operating system, and its words
// for why. `error` is an errno.
inline absl::Status SystemError(absl::string_view what, int error) {
  return absl::UnavailableError(
      absl::StrCat(what, ": ", absl::ErrnoToStatus(error, "").message()));
}

}  // namespace sam3
