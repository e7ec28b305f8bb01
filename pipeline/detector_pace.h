#pragma once

#include <memory>
#include <vector>

#include "pipeline/segmentation.h"

namespace sam3 {

// Says on which of a stream's analysed frames the detector runs, while objects
// are followed on all of them: on every n-th, and at once on a frame that has
// other prompts than the one before it that was looked at. Not thread-safe;
// never blocks.
class DetectorPace {
 public:
  using Prompts = std::shared_ptr<const std::vector<ConceptPrompt>>;

  explicit DetectorPace(int every) : every_(every) {}

  // Called once a frame, in order.
  bool Due(const Prompts& prompts) {
    ++waited_;
    if (prompts == prompts_ && waited_ < every_) return false;
    prompts_ = prompts;
    waited_ = 0;
    return true;
  }

 private:
  const int every_;
  int waited_ = 0;
  Prompts prompts_;
};

}  // namespace sam3
