#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "pipeline/media/descriptor.h"
#include "pipeline/media/video_decoder.h"

namespace sam3 {

// What the server and the process that decodes one video tell each other. The
// server asks; until the answer comes it gives the bytes that the decoder asks
// for:
//
//   kOpen, then any number of (kRead, kBytes), then kOpened or kFailed
//   kNext, then any number of (kRead, kBytes), then kPicture, kEnd or kFailed
//
// A picture's pixels are not in the message but in memory that both see. The
// two are the same program, so a message is the bytes of this value and then
// `tail`; whoever receives one from the decoder believes none of it.
struct DecoderMessage {
  enum class Kind : uint32_t {
    kOpen,     // options
    kNext,     // -
    kBytes,    // count, as Read() returned it; the tail
    kRead,     // count, the most that is wanted
    kOpened,   // width, height, frame_rate, count of frames
    kPicture,  // width, height, offset, size_changed, damaged
    kEnd,      // damaged
    kFailed,   // code; the tail: a reason, a line feed, the message
  };

  Kind kind = Kind::kNext;
  int32_t width = 0;
  int32_t height = 0;
  int32_t code = 0;
  int64_t count = 0;
  int64_t damaged = 0;
  int64_t offset_nanoseconds = 0;
  double frame_rate = 0;
  int32_t size_changed = 0;
  VideoDecoder::Options options = {};
};
static_assert(std::is_trivially_copyable_v<DecoderMessage>);

// The most that a tail holds; as much as FFmpeg is given at a time.
inline constexpr size_t kMaxDecoderTail = 128 << 10;

// Sockets that keep messages apart: {one end, the other}. Not valid where there
// are none to be had.
struct SocketPair {
  Descriptor ours;
  Descriptor theirs;
};
SocketPair MakeSocketPair();

// False when the other end has gone. Blocks while it does not read.
bool SendMessage(int socket, const DecoderMessage& message,
                 absl::string_view tail = {});
// Blocks; false when the other end has gone, or sent what is no message.
bool ReceiveMessage(int socket, DecoderMessage* message, std::string* tail);

// One byte, and with it descriptors that the receiver gets its own copies of.
bool SendDescriptors(int socket, const std::vector<int>& descriptors);
// Blocks; empty when the other end has gone or sent none. At most 4.
std::vector<Descriptor> ReceiveDescriptors(int socket);

}  // namespace sam3
