#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"
#include "pipeline/video_frame.h"

namespace sam3 {

// Decoded frames of one stream that wait for the device. With kLatest one
// waits and a newer one takes its place; with kEvery a few wait and the source
// has to hold back while HasRoom() is false.
//
// Not thread-safe: its session guards it. Never blocks.
class FrameMailbox {
 public:
  FrameMailbox(FrameDelivery delivery, size_t capacity)
      : delivery_(delivery),
        capacity_(delivery == FrameDelivery::kLatest ? 1 : capacity) {}

  bool HasRoom() const {
    return delivery_ == FrameDelivery::kLatest || frames_.size() < capacity_;
  }

  // Returns the index of the frame that had to go, if any.
  std::optional<int64_t> Put(VideoFrame frame);

  // The oldest waiting frame.
  std::optional<VideoFrame> Take();

  // Empties the box; returns the indexes that were in it.
  std::vector<int64_t> Clear();

  size_t size() const { return frames_.size(); }

 private:
  const FrameDelivery delivery_;
  const size_t capacity_;
  std::deque<VideoFrame> frames_;
};

}  // namespace sam3
