#pragma once

namespace sam3 {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace sam3
