#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sam3 {

// What picture `number` shall say of its time, in ticks of 90 kHz, of which a
// stream has room for 33 bits; nothing leaves it without a time.
using SaidTime = std::function<std::optional<int64_t>(int number)>;

// An MPEG transport stream of one video without B pictures, with the times of
// its pictures replaced.
std::string WithTimes(std::string stream, const SaidTime& say);

}  // namespace sam3
