#include "pipeline/media/byte_source.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sam3 {

ByteSource::ByteSource(size_t capacity_bytes, std::function<void()> wants_bytes)
    : capacity_bytes_(capacity_bytes), wants_bytes_(std::move(wants_bytes)) {}

bool ByteSource::WantsBytes() const {
  const absl::MutexLock lock(&mutex_);
  return !closed_ && !aborted_ && size_bytes_ < capacity_bytes_;
}

void ByteSource::Push(std::string bytes) {
  const absl::MutexLock lock(&mutex_);
  if (closed_ || aborted_ || bytes.empty()) return;
  size_bytes_ += bytes.size();
  chunks_.push_back(std::move(bytes));
}

void ByteSource::Close() {
  const absl::MutexLock lock(&mutex_);
  closed_ = true;
}

void ByteSource::Abort() {
  const absl::MutexLock lock(&mutex_);
  aborted_ = true;
}

std::string ByteSource::Peek(size_t size) {
  const absl::MutexLock lock(&mutex_);
  const auto enough = [this, size]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return aborted_ || closed_ || size_bytes_ >= size;
  };
  mutex_.Await(absl::Condition(&enough));
  std::string head;
  size_t skip = offset_;
  for (const std::string& chunk : chunks_) {
    head.append(chunk, skip, size - head.size());
    skip = 0;
    if (head.size() == size) break;
  }
  return head;
}

int64_t ByteSource::Read(uint8_t* buffer, size_t size) {
  size_t taken = 0;
  bool room_again = false;
  {
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &ByteSource::Readable));
    if (aborted_) return -1;
    if (chunks_.empty()) return 0;
    const bool full = size_bytes_ >= capacity_bytes_;
    const std::string& chunk = chunks_.front();
    taken = std::min(size, chunk.size() - offset_);
    std::memcpy(buffer, chunk.data() + offset_, taken);
    offset_ += taken;
    size_bytes_ -= taken;
    if (offset_ == chunk.size()) {
      chunks_.pop_front();
      offset_ = 0;
    }
    room_again = full && size_bytes_ < capacity_bytes_;
  }
  if (room_again) wants_bytes_();
  return static_cast<int64_t>(taken);
}

}  // namespace sam3
