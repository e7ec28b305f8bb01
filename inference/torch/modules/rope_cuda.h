#pragma once

#include <cstdint>

namespace sam3 {

// RotateInPlace on a CUDA device, one pass over memory: `data` has rows x heads
// x head_size values (bf16 or fp32), `table` tokens x head_size / 2 pairs of
// cosine and sine in fp32. Launches on `stream` (a cudaStream_t) and returns at
// once. False when the launch was refused.
bool LaunchRotateInPlace(void* data, bool is_bf16, const float* table,
                         int64_t rows, int64_t tokens, int64_t heads,
                         int64_t head_size, void* stream);

}  // namespace sam3
