#include "pipeline/frame_mailbox.h"

#include <utility>

#include "inference/base/status_macros.h"

namespace sam3 {

std::optional<int64_t> FrameMailbox::Put(VideoFrame frame) {
  std::optional<int64_t> replaced;
  if (frames_.size() >= capacity_) {
    SAM3_CHECK(delivery_ == FrameDelivery::kLatest);
    replaced = frames_.front().index;
    frames_.pop_front();
  }
  frames_.push_back(std::move(frame));
  return replaced;
}

std::optional<VideoFrame> FrameMailbox::Take() {
  if (frames_.empty()) return std::nullopt;
  VideoFrame frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

std::vector<int64_t> FrameMailbox::Clear() {
  std::vector<int64_t> indexes;
  for (const VideoFrame& frame : frames_) indexes.push_back(frame.index);
  frames_.clear();
  return indexes;
}

}  // namespace sam3
