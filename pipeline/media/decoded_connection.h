#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "pipeline/media/live_input.h"
#include "pipeline/media/live_source.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/request_context.h"

namespace sam3 {

struct DecodedConnectionOptions {
  // Makes the decoder of each part of the input.
  std::function<absl::StatusOr<std::unique_ptr<VideoDecoder>>()> open_decoder;
  // Whether an end is the source's failure.
  bool endless = false;
  // Whether pictures that come in bursts are given when they are due.
  bool paced = false;
  absl::Duration picture_timeout;
};

// A connection made of an input and of decoders that read it. Blocks until the
// first picture is there. What is borrowed must outlive it. Errors as
// LiveConnection::Next().
absl::StatusOr<std::unique_ptr<LiveConnection>> OpenDecodedConnection(
    std::unique_ptr<LiveInput> input, DecodedConnectionOptions options,
    const RequestContext& context, Clock& clock);

}  // namespace sam3
