#pragma once

#include <atomic>
#include <cstdint>

namespace sam3 {

// Bounds the bytes that all uploads together hold until they are complete.
// Threads: any; never blocks.
class UploadBudget {
 public:
  explicit UploadBudget(int64_t limit) : limit_(limit) {}

  // False when that would be too much; then nothing is taken.
  bool Take(int64_t bytes) {
    if (taken_.fetch_add(bytes) + bytes <= limit_) return true;
    taken_.fetch_sub(bytes);
    return false;
  }
  void Return(int64_t bytes) { taken_.fetch_sub(bytes); }

 private:
  const int64_t limit_;
  std::atomic<int64_t> taken_{0};
};

}  // namespace sam3
