#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sam3 {

// Where a decoder gets its bytes from.
//
// Threads: one reader, which blocks in Read(); Abort() from any.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Blocks for at least one byte. 0 at the end, -1 after Abort() or a failure.
  virtual int64_t Read(uint8_t* buffer, size_t size) = 0;
  // The reader gets nothing any more, soon.
  virtual void Abort() = 0;

  // Of all that there is to read; -1 where nobody knows, and there is no
  // seeking then.
  virtual int64_t size() const { return -1; }
  // Reading goes on there; false where it cannot.
  virtual bool Seek(int64_t /*offset*/) { return false; }
};

// Bytes on their way from a client that pushes to a decoder that pulls.
//
// Threads: one reader, which blocks in Read(); any writers, which never block:
// they ask WantsBytes() and hold back by themselves.
class ByteSource final : public ByteReader {
 public:
  // `wants_bytes` is called by the reading thread, with no lock held, when
  // WantsBytes() turns true.
  ByteSource(size_t capacity_bytes, std::function<void()> wants_bytes);

  bool WantsBytes() const;
  void Push(std::string bytes);
  // No more will come; what is there is still read.
  void Close();
  // At once.
  void Abort() override;

  // Blocks until `size` bytes are there, or all that will come; they stay to be
  // read. Fewer than `size` at the end.
  std::string Peek(size_t size);

  int64_t Read(uint8_t* buffer, size_t size) override;

 private:
  bool Readable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return aborted_ || closed_ || !chunks_.empty();
  }

  const size_t capacity_bytes_;
  const std::function<void()> wants_bytes_;
  mutable absl::Mutex mutex_;
  std::deque<std::string> chunks_ ABSL_GUARDED_BY(mutex_);
  // Position in the first chunk.
  size_t offset_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t size_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sam3
