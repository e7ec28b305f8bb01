#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "inference/torch/modules/rope_cuda.h"

namespace sam3 {
namespace {

constexpr int kThreads = 256;

__device__ float2 Load(const float2* data, int i) { return data[i]; }
__device__ void Store(float2* data, int i, float2 value) { data[i] = value; }
__device__ float2 Load(const __nv_bfloat162* data, int i) {
  return __bfloat1622float2(data[i]);
}
__device__ void Store(__nv_bfloat162* data, int i, float2 value) {
  data[i] = __float22bfloat162_rn(value);
}

// Neighbouring pairs of one head, moved as a whole.
template <typename Pair, int kPairs>
struct alignas(kPairs == 1 ? sizeof(Pair) : 16) Chunk {
  Pair pairs[kPairs];
};

// One thread per chunk; a row of blocks per item.
template <typename Pair, int kPairs>
__global__ void Rotate(Chunk<Pair, kPairs>* data, const float2* table,
                       uint32_t turned_chunks, int64_t item_chunks,
                       uint32_t tokens, uint32_t chunks_per_row,
                       uint32_t chunks_per_head) {
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= turned_chunks) return;
  const uint32_t token = i / chunks_per_row % tokens;
  const uint32_t place = i % chunks_per_row % chunks_per_head;
  const float2* turns = table + (token * chunks_per_head + place) * kPairs;
  Chunk<Pair, kPairs>& at = data[blockIdx.y * item_chunks + i];
  Chunk<Pair, kPairs> chunk = at;
#pragma unroll
  for (int k = 0; k < kPairs; ++k) {
    const float2 turn = turns[k];
    const float2 x = Load(chunk.pairs, k);
    Store(
        chunk.pairs, k,
        make_float2(x.x * turn.x - x.y * turn.y, x.y * turn.x + x.x * turn.y));
  }
  at = chunk;
}

template <typename Pair, int kPairs>
void Launch(void* data, const float* table, const RotatedRows& shape,
            cudaStream_t stream) {
  const int64_t chunks_per_head = shape.head_size / 2 / kPairs;
  const int64_t chunks_per_row = shape.heads * chunks_per_head;
  const int64_t turned = shape.turned * chunks_per_row;
  const dim3 blocks(static_cast<unsigned>((turned + kThreads - 1) / kThreads),
                    static_cast<unsigned>(shape.items));
  Rotate<Pair, kPairs><<<blocks, kThreads, 0, stream>>>(
      static_cast<Chunk<Pair, kPairs>*>(data),
      reinterpret_cast<const float2*>(table), static_cast<uint32_t>(turned),
      shape.item_rows * chunks_per_row, static_cast<uint32_t>(shape.tokens),
      static_cast<uint32_t>(chunks_per_row),
      static_cast<uint32_t>(chunks_per_head));
}

}  // namespace

bool LaunchRotateInPlace(void* data, bool is_bf16, const float* table,
                         const RotatedRows& shape, void* stream) {
  auto* on = static_cast<cudaStream_t>(stream);
  const bool wide = shape.head_size % 8 == 0;
  if (is_bf16) {
    wide ? Launch<__nv_bfloat162, 4>(data, table, shape, on)
         : Launch<__nv_bfloat162, 1>(data, table, shape, on);
  } else {
    wide ? Launch<float2, 4>(data, table, shape, on)
         : Launch<float2, 1>(data, table, shape, on);
  }
  return cudaGetLastError() == cudaSuccess;
}

}  // namespace sam3
