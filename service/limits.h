#pragma once

#include <cstdint>

namespace sam3 {

// What a client may ask for; told by GetServerInfo and checked by validation.
struct ServiceLimits {
  int max_prompts = 16;
  int max_exemplars = 16;     // of one prompt
  int max_text_bytes = 1024;  // of one prompt
  int max_id_bytes = 64;      // prompt_id, image_id, request_id
  int64_t max_message_bytes = 16 << 20;
  int64_t max_chunk_bytes = 1 << 20;
  int max_mask_side = 16'384;
};

}  // namespace sam3
