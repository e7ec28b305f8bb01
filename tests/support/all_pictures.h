#pragma once

#include <gmock/gmock.h>

#include <utility>
#include <vector>

#include "pipeline/media/video_decoder.h"
#include "tests/support/status_matchers.h"

namespace sam3 {

// What is left of a video; a failure fails the test.
inline std::vector<VideoPicture> AllPictures(VideoDecoder& decoder) {
  std::vector<VideoPicture> pictures;
  while (true) {
    auto next = decoder.Next();
    EXPECT_THAT(next, IsOk());
    if (!next.ok() || !next->has_value()) return pictures;
    pictures.push_back(**std::move(next));
  }
}

}  // namespace sam3
