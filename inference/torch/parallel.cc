#include "inference/torch/parallel.h"

#include "inference/torch/aten.h"

namespace sam3 {

void ForEachInParallel(int64_t count, absl::FunctionRef<void(int64_t)> body) {
  at::parallel_for(0, count, /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    // The mode is each thread's own.
    const c10::InferenceMode inference_mode;
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

}  // namespace sam3
