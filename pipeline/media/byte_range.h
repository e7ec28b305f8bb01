#pragma once

#include <cstdint>

namespace sam3 {

// Consecutive bytes of something larger. A value.
struct ByteRange {
  int64_t begin = 0;
  int64_t size = 0;

  int64_t end() const { return begin + size; }
  bool operator==(const ByteRange&) const = default;
};

}  // namespace sam3
