#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "inference/torch/modules/rope_cuda.h"

namespace sam3 {
namespace {

constexpr int kThreads = 256;

__device__ float2 Load(const float2* data, int64_t i) { return data[i]; }
__device__ void Store(float2* data, int64_t i, float2 value) {
  data[i] = value;
}
__device__ float2 Load(const __nv_bfloat162* data, int64_t i) {
  return __bfloat1622float2(data[i]);
}
__device__ void Store(__nv_bfloat162* data, int64_t i, float2 value) {
  data[i] = __float22bfloat162_rn(value);
}

// One thread per pair of neighbouring channels.
template <typename Pair>
__global__ void Rotate(Pair* data, const float2* table, int64_t pairs,
                       int64_t tokens, int64_t pairs_per_row,
                       int64_t pairs_per_head) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= pairs) return;
  const int64_t token = i / pairs_per_row % tokens;
  const float2 turn = table[token * pairs_per_head + i % pairs_per_head];
  const float2 x = Load(data, i);
  Store(data, i,
        make_float2(x.x * turn.x - x.y * turn.y, x.y * turn.x + x.x * turn.y));
}

}  // namespace

bool LaunchRotateInPlace(void* data, bool is_bf16, const float* table,
                         int64_t rows, int64_t tokens, int64_t heads,
                         int64_t head_size, void* stream) {
  const int64_t pairs_per_head = head_size / 2;
  const int64_t pairs_per_row = heads * pairs_per_head;
  const int64_t pairs = rows * pairs_per_row;
  const auto blocks = static_cast<unsigned>((pairs + kThreads - 1) / kThreads);
  const auto* turns = reinterpret_cast<const float2*>(table);
  auto* on = static_cast<cudaStream_t>(stream);
  if (is_bf16) {
    Rotate<<<blocks, kThreads, 0, on>>>(static_cast<__nv_bfloat162*>(data),
                                        turns, pairs, tokens, pairs_per_row,
                                        pairs_per_head);
  } else {
    Rotate<<<blocks, kThreads, 0, on>>>(static_cast<float2*>(data), turns,
                                        pairs, tokens, pairs_per_row,
                                        pairs_per_head);
  }
  return cudaGetLastError() == cudaSuccess;
}

}  // namespace sam3
