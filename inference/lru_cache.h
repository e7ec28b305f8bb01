#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// Shared handles by key, the least recently used leaving first when their
// bytes exceed the budget. A handle that somebody still holds stays alive after
// it has left; its bytes are then no longer counted here.
//
// Not thread-safe by design: a cache belongs to one thread. Never blocks.
template <typename T>
class LruCache {
 public:
  // 0 keeps nothing.
  explicit LruCache(size_t budget_bytes) : budget_bytes_(budget_bytes) {}

  // Null when absent; otherwise the entry becomes the most recent.
  std::shared_ptr<const T> Find(absl::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->handle;
  }

  // Does not change the order.
  bool Contains(absl::string_view key) const { return index_.contains(key); }

  // Replaces what the key had. An entry beyond the whole budget is not kept.
  void Insert(const std::string& key, std::shared_ptr<const T> handle,
              size_t size_bytes) {
    Erase(key);
    if (size_bytes > budget_bytes_) return;
    order_.push_front({key, std::move(handle), size_bytes});
    index_.emplace(key, order_.begin());
    size_bytes_ += size_bytes;
    ShrinkTo(budget_bytes_);
  }

  void Erase(absl::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    size_bytes_ -= found->second->size_bytes;
    order_.erase(found->second);
    index_.erase(found);
  }

  // Evicts until at most `bytes` are left.
  void ShrinkTo(size_t bytes) {
    while (size_bytes_ > bytes) {
      ++evictions_;
      const std::string oldest = order_.back().key;
      Erase(oldest);
    }
  }

  size_t size_bytes() const { return size_bytes_; }
  size_t count() const { return index_.size(); }
  int64_t evictions() const { return evictions_; }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const T> handle;
    size_t size_bytes = 0;
  };
  const size_t budget_bytes_;
  size_t size_bytes_ = 0;
  int64_t evictions_ = 0;
  std::list<Entry> order_;
  absl::flat_hash_map<std::string, typename std::list<Entry>::iterator> index_;
};

}  // namespace sam3
