#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "inference/model_config.h"
#include "inference/torch/aten.h"

namespace sam3 {

// What one object was on the frames of a video that still matter: at most
// memory_count - 1 recent frames and conditioning_count described ones, and the
// pointers of a few more, however long the video is.
//
// Frames are numbered as they are tracked, without gaps. A conditioning frame
// is one where the object was described, by a mask or clicks. On the engine's
// thread alone.
class MemoryBank {
 public:
  // A frame that is attended to.
  struct Frame {
    at::Tensor memory;  // [grid * grid, memory_channels], bf16
    // Row of the table of time codes.
    int64_t time_row = 0;
  };
  struct Pointer {
    at::Tensor pointer;    // [C]
    int64_t distance = 0;  // frames ago
  };
  struct View {
    std::vector<Frame> frames;
    std::vector<Pointer> pointers;
  };

  struct Options {
    // Pointers of described frames. The reference keeps them all, its authors'
    // program as many as frames are attended to.
    int64_t max_conditioning_pointers = 4;
    // The newest frame may be tracked again, with corrections: what it looked
    // back at is kept as well.
    bool redo_newest = false;
  };

  MemoryBank(const TrackerConfig& config, const Options& options);

  // What is known of `frame`; a second time in place of what was known.
  void Add(int64_t frame, bool conditioning, at::Tensor memory,
           at::Tensor pointer);
  // Makes a conditioning frame of one that is known.
  void Promote(int64_t frame);

  // What `frame` may look back at: the nearest conditioning frames before it,
  // the recent others, and their pointers, `pointer_window` - 1 frames back at
  // most.
  View LookBack(int64_t frame, int64_t pointer_window) const;

  bool empty() const { return entries_.empty(); }
  size_t size_bytes() const;

 private:
  struct Entry {
    bool conditioning = false;
    at::Tensor memory;  // undefined once no frame can attend to it
    at::Tensor pointer;
  };

  // Forgets what no later frame can look back at.
  void Prune(int64_t newest);
  // Conditioning frames before `frame`, the nearest first.
  std::vector<int64_t> ConditioningBefore(int64_t frame) const;

  const int64_t recent_count_;
  const int64_t conditioning_count_;
  const int64_t pointer_count_;
  const int64_t kept_pointers_;
  const bool redo_newest_;
  const int64_t conditioning_row_;
  std::map<int64_t, Entry> entries_;  // by frame
};

}  // namespace sam3
