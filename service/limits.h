#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace sam3 {

// What a client may ask for; told by GetServerInfo and checked by validation.
struct ServiceLimits {
  int max_prompts = 16;
  int max_exemplars = 16;     // of one prompt
  int max_points = 64;        // of one object prompt
  int max_text_bytes = 1024;  // of one prompt
  int max_id_bytes = 64;      // prompt_id, image_id, request_id
  int64_t max_message_bytes = 16 << 20;
  int64_t max_chunk_bytes = 1 << 20;
  // Of all uploads together that are not complete yet.
  int64_t max_uploading_bytes = 256 << 20;
  // For the first message of a stream, and for each next one of an upload.
  absl::Duration message_timeout = absl::Seconds(10);
  int max_mask_side = 16'384;
  // That one stream follows at a time, and that one list of an update names.
  int max_objects = 256;
  // Of all masks together that one message describes objects by.
  int64_t max_mask_pixels = 33'000'000;
};

}  // namespace sam3
