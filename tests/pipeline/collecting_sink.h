#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pipeline/video_reader.h"

namespace sam3 {

struct PublishedFrame {
  absl::Duration offset;
  bool discontinuity = false;
};

// Keeps what a reader of a live source tells. Thread-safe.
class CollectingSink final : public FrameSink {
 public:
  void SourceOpened(const SourceFacts& facts) override {
    const absl::MutexLock lock(&mutex_);
    kinds_.push_back(SourceEventKind::kOpened);
    facts_ = facts;
  }
  bool Publish(DecodedFrame frame) override {
    const absl::MutexLock lock(&mutex_);
    frames_.push_back({frame.start_offset, frame.discontinuity});
    return true;
  }
  void ReportSource(SourceEvent event) override {
    const absl::MutexLock lock(&mutex_);
    kinds_.push_back(event.kind);
    events_.push_back(std::move(event));
  }
  void SourceEnded(absl::Status status) override {
    const absl::MutexLock lock(&mutex_);
    end_ = std::move(status);
  }

  std::optional<absl::Status> end() const {
    const absl::MutexLock lock(&mutex_);
    return end_;
  }
  std::vector<SourceEventKind> kinds() const {
    const absl::MutexLock lock(&mutex_);
    return kinds_;
  }
  std::vector<SourceEvent> events() const {
    const absl::MutexLock lock(&mutex_);
    return events_;
  }
  std::vector<PublishedFrame> frames() const {
    const absl::MutexLock lock(&mutex_);
    return frames_;
  }
  SourceFacts facts() const {
    const absl::MutexLock lock(&mutex_);
    return facts_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::vector<SourceEventKind> kinds_ ABSL_GUARDED_BY(mutex_);
  std::vector<SourceEvent> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<PublishedFrame> frames_ ABSL_GUARDED_BY(mutex_);
  SourceFacts facts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
