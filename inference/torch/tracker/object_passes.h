#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace sam3 {

// How objects go through a network: those that are alike together, but never so
// many that what a pass needs grows with the number of objects, and on a CPU
// that has enough of them one pass on each of its threads, which then works
// through whole objects by itself.
//
// Inside GuardTorch.
class ObjectPasses {
 public:
  // Objects that are all alike.
  ObjectPasses(int64_t count, bool on_cpu);
  // The objects of each kind.
  template <typename Kind>
  ObjectPasses(const std::map<Kind, std::vector<size_t>>& kinds, bool on_cpu) {
    std::vector<absl::Span<const size_t>> alike;
    alike.reserve(kinds.size());
    for (const auto& [kind, members] : kinds) alike.emplace_back(members);
    Plan(alike, on_cpu);
  }

  size_t count() const { return ends_.size(); }
  // At least one, all of one kind.
  absl::Span<const size_t> members(size_t pass) const;
  // The objects in the order in which the passes have them.
  const std::vector<size_t>& order() const { return order_; }

  // Calls `pass` with every pass's number, from several threads when they are
  // side by side. Blocks until all have returned; throws what one has thrown.
  void Run(absl::FunctionRef<void(size_t)> pass) const;

 private:
  void Plan(absl::Span<const absl::Span<const size_t>> kinds, bool on_cpu);

  bool side_by_side_ = false;
  std::vector<size_t> order_;
  // Of the passes, in the order.
  std::vector<size_t> ends_;
};

}  // namespace sam3
