#include "tests/support/transport_stream.h"

#include <cstring>

namespace sam3 {
namespace {

constexpr size_t kPacketBytes = 188;
constexpr size_t kHeaderBytes = 4;
constexpr size_t kStampBytes = 5;

// A PES header's time: 33 bits, with marks between them.
void PutStamp(int64_t ticks, int prefix, unsigned char* out) {
  out[0] = static_cast<unsigned char>(prefix << 4 | (ticks >> 29 & 0x0e) | 1);
  out[1] = static_cast<unsigned char>(ticks >> 22 & 0xff);
  out[2] = static_cast<unsigned char>((ticks >> 14 & 0xfe) | 1);
  out[3] = static_cast<unsigned char>(ticks >> 7 & 0xff);
  out[4] = static_cast<unsigned char>((ticks << 1 & 0xfe) | 1);
}

void Restamp(std::optional<int64_t> ticks, unsigned char* pes) {
  const bool has_pts = (pes[7] & 0x80) != 0;
  const bool has_dts = (pes[7] & 0x40) != 0;
  unsigned char* stamps = pes + 9;
  if (!ticks.has_value()) {
    const size_t size = has_dts ? 2 * kStampBytes : has_pts ? kStampBytes : 0;
    std::memset(stamps, 0xff, size);
    pes[7] &= 0x3f;
    return;
  }
  if (has_pts) PutStamp(*ticks, has_dts ? 3 : 2, stamps);
  if (has_dts) PutStamp(*ticks, 1, stamps + kStampBytes);
}

}  // namespace

std::string WithTimes(std::string stream, const SaidTime& say) {
  int number = 0;
  for (size_t at = 0; at + kPacketBytes <= stream.size(); at += kPacketBytes) {
    auto* packet = reinterpret_cast<unsigned char*>(&stream[at]);
    const bool begins = (packet[1] & 0x40) != 0;
    const bool adapted = (packet[3] & 0x20) != 0;
    const size_t skipped =
        kHeaderBytes + (adapted ? size_t{1} + packet[kHeaderBytes] : 0);
    if (!begins || skipped + 19 > kPacketBytes) continue;
    unsigned char* pes = packet + skipped;
    const bool video =
        pes[0] == 0 && pes[1] == 0 && pes[2] == 1 && (pes[3] & 0xf0) == 0xe0;
    if (video) Restamp(say(number++), pes);
  }
  return stream;
}

}  // namespace sam3
