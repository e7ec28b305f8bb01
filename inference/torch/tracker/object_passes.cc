#include "inference/torch/tracker/object_passes.h"

#include <numeric>

#include "inference/torch/aten.h"
#include "inference/torch/parallel.h"

namespace sam3 {
namespace {

constexpr size_t kMostTogetherOnCpu = 8;
constexpr size_t kMostTogetherOnGpu = 64;
// With fewer objects a thread, too many threads would have nothing to do.
constexpr size_t kLeastPerThread = 2;

size_t DivideUp(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

ObjectPasses::ObjectPasses(int64_t count, bool on_cpu) {
  std::vector<size_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), size_t{0});
  Plan({all}, on_cpu);
}

absl::Span<const size_t> ObjectPasses::members(size_t pass) const {
  const size_t begin = pass == 0 ? 0 : ends_[pass - 1];
  return absl::MakeConstSpan(order_).subspan(begin, ends_[pass] - begin);
}

void ObjectPasses::Run(absl::FunctionRef<void(size_t)> pass) const {
  if (side_by_side_) {
    ForEachInParallel(static_cast<int64_t>(count()),
                      [&](int64_t i) { pass(static_cast<size_t>(i)); });
  } else {
    for (size_t i = 0; i < count(); ++i) pass(i);
  }
}

void ObjectPasses::Plan(absl::Span<const absl::Span<const size_t>> kinds,
                        bool on_cpu) {
  size_t all = 0;
  for (const auto& members : kinds) all += members.size();
  if (all == 0) return;
  const size_t threads =
      on_cpu ? static_cast<size_t>(at::get_num_threads()) : 1;
  const size_t most = on_cpu ? kMostTogetherOnCpu : kMostTogetherOnGpu;
  side_by_side_ = threads > 1 && all >= kLeastPerThread * threads;
  const size_t wanted = side_by_side_ ? threads * DivideUp(all, threads * most)
                                      : DivideUp(all, most);
  for (const auto& members : kinds) {
    // A kind's part of the passes, and its members evenly on them.
    const size_t passes = DivideUp(members.size() * wanted, all);
    for (size_t i = 0; i < passes; ++i) {
      const size_t begin = i * members.size() / passes;
      const size_t end = (i + 1) * members.size() / passes;
      order_.insert(order_.end(), members.begin() + begin,
                    members.begin() + end);
      ends_.push_back(order_.size());
    }
  }
}

}  // namespace sam3
