#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sam3 {

// Identity of a picture: SHA-256 of its encoded bytes in hexadecimal. Two
// pictures with the same digest are the same picture, whoever sent them; a
// client cannot make another one that answers to it. Pure; any thread.
std::string ImageDigest(absl::string_view encoded);

}  // namespace sam3
