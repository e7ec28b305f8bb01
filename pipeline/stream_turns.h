#pragma once

#include <algorithm>

namespace sam3 {

// The turns of one stream in the scheduler: some for frames, and one at a time
// for questions, so that answers leave in order. A turn counts from the moment
// that it is claimed until what came of it has been encoded.
//
// Not thread-safe: its session guards it.
class StreamTurns {
 public:
  // To be queued.
  struct Claim {
    int frames = 0;
    bool questions = false;
  };

  // As many as `frames_waiting` need, while no more than `allowed` are under
  // way.
  Claim Take(int allowed, int frames_waiting, bool questions_wait) {
    const Claim claim = {
        std::clamp(allowed - frames_, 0, frames_waiting),
        questions_wait && !asking_,
    };
    frames_ += claim.frames;
    asking_ |= claim.questions;
    return claim;
  }

  void End(bool questions) {
    if (questions) {
      asking_ = false;
    } else {
      --frames_;
    }
  }

  bool idle() const { return frames_ == 0 && !asking_; }

 private:
  int frames_ = 0;
  bool asking_ = false;
};

}  // namespace sam3
