#pragma once

#include "absl/strings/string_view.h"

namespace sam3 {

// Whether only this host reaches `address` (HOST:PORT, [IPV6]:PORT, unix:PATH):
// the one place that decides what goes without keys and TLS. Names other than
// localhost count as reachable, whatever they resolve to today. Pure.
bool IsLoopback(absl::string_view address);

}  // namespace sam3
