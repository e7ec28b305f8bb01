#include "inference/torch/tracker/object_passes.h"

#include <algorithm>
#include <numeric>

#include "inference/torch/aten.h"

namespace sam3 {
namespace {

constexpr int64_t kMostTogetherOnCpu = 8;
constexpr int64_t kMostTogetherOnGpu = 64;
// Fewer objects a thread would leave too many threads with nothing to do.
constexpr int64_t kLeastPerThread = 2;

int64_t Ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

ObjectPasses::ObjectPasses(int64_t count, bool on_cpu) {
  Plan(count, on_cpu);
  std::vector<size_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), size_t{0});
  Add(all);
}

void ObjectPasses::Plan(int64_t count, bool on_cpu) {
  const int64_t threads = on_cpu ? at::get_num_threads() : 1;
  const int64_t most = on_cpu ? kMostTogetherOnCpu : kMostTogetherOnGpu;
  side_by_side_ = threads > 1 && count >= kLeastPerThread * threads;
  wanted_passes_ =
      static_cast<size_t>(side_by_side_ ? threads * Ceil(count, threads * most)
                                        : Ceil(count, most));
  all_ = static_cast<size_t>(count);
}

void ObjectPasses::Add(absl::Span<const size_t> members) {
  if (members.empty()) return;
  // A kind's part of the passes, and its members evenly on them.
  const size_t passes = (members.size() * wanted_passes_ + all_ - 1) / all_;
  for (size_t i = 0; i < passes; ++i) {
    const size_t begin = i * members.size() / passes;
    const size_t end = (i + 1) * members.size() / passes;
    order_.insert(order_.end(), members.begin() + begin, members.begin() + end);
    ends_.push_back(order_.size());
  }
}

absl::Span<const size_t> ObjectPasses::members(size_t pass) const {
  const size_t begin = pass == 0 ? 0 : ends_[pass - 1];
  return absl::MakeConstSpan(order_).subspan(begin, ends_[pass] - begin);
}

void ObjectPasses::Run(absl::FunctionRef<void(size_t)> pass) const {
  if (!side_by_side_) {
    for (size_t i = 0; i < count(); ++i) pass(i);
    return;
  }
  at::parallel_for(0, static_cast<int64_t>(count()), 1,
                   [&](int64_t begin, int64_t end) {
                     // The mode is each thread's own.
                     const c10::InferenceMode inference_mode;
                     for (int64_t i = begin; i < end; ++i)
                       pass(static_cast<size_t>(i));
                   });
}

}  // namespace sam3
