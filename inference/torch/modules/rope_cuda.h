#pragma once

#include <cstdint>

namespace sam3 {

// What is turned: the first `turned` of the `item_rows` rows of each item, a
// table of `tokens` rows over and over.
struct RotatedRows {
  int64_t items = 0;
  int64_t item_rows = 0;
  int64_t turned = 0;
  int64_t tokens = 0;
  int64_t heads = 0;
  int64_t head_size = 0;
};

// RotateFirstInPlace on a CUDA device, one pass over memory: `data` has items x
// item_rows x heads x head_size values (bf16 or fp32), `table` tokens x
// head_size / 2 pairs of cosine and sine in fp32. Launches on `stream` (a
// cudaStream_t) and returns at once. False when the launch was refused.
bool LaunchRotateInPlace(void* data, bool is_bf16, const float* table,
                         const RotatedRows& shape, void* stream);

}  // namespace sam3
