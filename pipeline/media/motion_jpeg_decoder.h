#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/base/clock.h"
#include "inference/image.h"
#include "pipeline/media/byte_source.h"
#include "pipeline/media/video_decoder.h"

namespace sam3 {

// A VideoDecoder of pictures that come as the parts of a multipart body, in
// any form that DecodeImage() takes. A picture's time is that of its arrival.
// Blocks until the first picture is there. RESOURCE_EXHAUSTED when it is too
// large, INVALID_ARGUMENT (MEDIA_UNDECODABLE) when none can be decoded, and
// OUT_OF_RANGE when the bytes end or fail first. What is borrowed must outlive
// it.
absl::StatusOr<std::unique_ptr<VideoDecoder>> OpenMotionJpeg(
    ByteReader& bytes, absl::string_view boundary, const ImageLimits& limits,
    HostAllocator& allocator, Clock& clock);

}  // namespace sam3
