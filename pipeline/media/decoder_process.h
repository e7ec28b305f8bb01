#pragma once

#include "pipeline/media/descriptor.h"

namespace sam3 {

// What the process that decodes one video is given.
struct DecoderProcessFiles {
  Descriptor socket;    // see DecoderMessage
  Descriptor pictures;  // memory for one picture
  Descriptor file;      // the video; not valid where its bytes are asked for
};

// The life of such a process: confines itself, decodes what the server asks
// for, and ends when that has gone. For a process of one thread.
[[noreturn]] void RunDecoderProcess(DecoderProcessFiles files);

}  // namespace sam3
