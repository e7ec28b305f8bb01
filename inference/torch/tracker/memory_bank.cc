#include "inference/torch/tracker/memory_bank.h"

#include <algorithm>
#include <utility>

#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

// How many of `frames` there are, `limit` at most.
std::ptrdiff_t Bounded(const std::vector<int64_t>& frames, int64_t limit) {
  return std::min(static_cast<std::ptrdiff_t>(frames.size()),
                  static_cast<std::ptrdiff_t>(limit));
}

}  // namespace

MemoryBank::MemoryBank(const TrackerConfig& config, const Options& options)
    : recent_count_(config.memory_count - 1),
      conditioning_count_(config.conditioning_count),
      pointer_count_(config.pointer_count - 1),
      kept_pointers_(std::max<int64_t>(options.max_conditioning_pointers,
                                       config.conditioning_count)),
      redo_newest_(options.redo_newest),
      conditioning_row_(config.memory_count - 1) {}

void MemoryBank::Add(int64_t frame, bool conditioning, at::Tensor memory,
                     at::Tensor pointer) {
  entries_[frame] = {conditioning, std::move(memory), std::move(pointer)};
  Prune(frame);
}

void MemoryBank::Promote(int64_t frame) {
  const auto found = entries_.find(frame);
  SAM3_CHECK(found != entries_.end());
  found->second.conditioning = true;
  Prune(entries_.rbegin()->first);
}

MemoryBank::View MemoryBank::LookBack(int64_t frame,
                                      int64_t pointer_window) const {
  View view;
  const std::vector<int64_t> described = ConditioningBefore(frame);
  const auto nearest =
      described.begin() + Bounded(described, conditioning_count_);
  for (auto at = described.begin(); at != nearest; ++at) {
    view.frames.push_back({entries_.at(*at).memory, conditioning_row_});
  }
  for (int64_t distance = recent_count_; distance > 0; --distance) {
    const auto found = entries_.find(frame - distance);
    if (found == entries_.end()) continue;
    if (std::find(described.begin(), nearest, found->first) != nearest) {
      continue;
    }
    view.frames.push_back({found->second.memory, distance - 1});
  }
  const auto pointed = described.begin() + Bounded(described, kept_pointers_);
  for (auto at = described.begin(); at != pointed; ++at) {
    view.pointers.push_back({entries_.at(*at).pointer, frame - *at});
  }
  for (int64_t distance = 1; distance < pointer_window; ++distance) {
    const auto found = entries_.find(frame - distance);
    if (found == entries_.end()) continue;
    if (std::find(described.begin(), pointed, found->first) != pointed) {
      continue;
    }
    view.pointers.push_back({found->second.pointer, distance});
  }
  return view;
}

size_t MemoryBank::size_bytes() const {
  size_t bytes = 0;
  for (const auto& [frame, entry] : entries_) {
    bytes += entry.pointer.nbytes();
    if (entry.memory.defined()) bytes += entry.memory.nbytes();
  }
  return bytes;
}

void MemoryBank::Prune(int64_t newest) {
  const std::vector<int64_t> described = ConditioningBefore(newest + 1);
  const auto rank = [&described](int64_t frame) {
    return std::find(described.begin(), described.end(), frame) -
           described.begin();
  };
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto& [frame, entry] = *at;
    const int64_t age = newest - frame - (redo_newest_ ? 1 : 0);
    const bool kept = age < pointer_count_ ||
                      (entry.conditioning && rank(frame) < kept_pointers_);
    if (!kept) {
      at = entries_.erase(at);
      continue;
    }
    const bool attended =
        age < recent_count_ ||
        (entry.conditioning && rank(frame) < conditioning_count_);
    if (!attended) at->second.memory.reset();
    ++at;
  }
}

std::vector<int64_t> MemoryBank::ConditioningBefore(int64_t frame) const {
  std::vector<int64_t> frames;
  for (auto at = entries_.rbegin(); at != entries_.rend(); ++at) {
    if (at->second.conditioning && at->first < frame) {
      frames.push_back(at->first);
    }
  }
  return frames;
}

}  // namespace sam3
