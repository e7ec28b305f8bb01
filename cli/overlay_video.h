#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/image.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/media/video_writer.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// Decodes a file a second time, beside the server, and writes it with what
// comes back for each frame drawn on it; frames without a result are written as
// they are. One thread; every call blocks for the frames that it writes.
class OverlayVideo {
 public:
  // `labels` of the prompts, in their order, or one for all.
  static absl::StatusOr<std::unique_ptr<OverlayVideo>> Open(
      const std::string& source, const std::string& path,
      std::vector<std::string> labels);

  // Results come in frame order; all of a frame's before the next frame's.
  absl::Status Add(const v1::FrameResult& result);

  // Writes the rest.
  absl::Status Finish();

  int64_t frame_count() const { return decoder_->frame_count(); }

 private:
  // Writes every frame before `index` (all for -1).
  absl::Status SkipTo(int64_t index);
  absl::Status WriteCurrent();

  HeapAllocator allocator_;
  std::unique_ptr<VideoDecoder> decoder_;
  std::unique_ptr<VideoWriter> writer_;
  std::string path_;
  std::vector<std::string> labels_;
  std::optional<Image> frame_;
  int64_t current_ = -1;
  std::vector<v1::PromptResult> results_;
};

}  // namespace sam3
