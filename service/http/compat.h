#pragma once

namespace sam3 {

// How close the HTTP API keeps to the public server that it stands in for.
enum class HttpCompat {
  // Its surprises are repaired where no client can tell or every client gains;
  // answers carry more than the published fields.
  kFixed,
  // Its behaviour is copied wherever that does no harm, and answers have the
  // published fields alone.
  kExact,
};

}  // namespace sam3
