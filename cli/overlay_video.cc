#include "cli/overlay_video.h"

#include <algorithm>
#include <utility>

#include "cli/overlay.h"
#include "inference/base/status_macros.h"

namespace sam3 {

absl::StatusOr<std::unique_ptr<OverlayVideo>> OverlayVideo::Open(
    const std::string& source, const std::string& path,
    std::vector<std::string> labels) {
  auto video = std::make_unique<OverlayVideo>();
  SAM3_ASSIGN_OR_RETURN(video->decoder_,
                        VideoDecoder::OpenFile(source, {}, video->allocator_));
  video->path_ = path;
  video->labels_ = std::move(labels);
  return video;
}

absl::Status OverlayVideo::Add(const v1::FrameResult& result) {
  SAM3_RETURN_IF_ERROR(SkipTo(result.frame_index()));
  results_.push_back(result.result());
  return absl::OkStatus();
}

absl::Status OverlayVideo::Finish() {
  SAM3_RETURN_IF_ERROR(SkipTo(-1));
  return writer_ == nullptr
             ? absl::InvalidArgumentError("the video has no frame")
             : writer_->Finish();
}

absl::Status OverlayVideo::SkipTo(int64_t index) {
  while (index < 0 || current_ < index) {
    if (frame_.has_value()) SAM3_RETURN_IF_ERROR(WriteCurrent());
    SAM3_ASSIGN_OR_RETURN(auto next, decoder_->Next());
    if (!next.has_value()) {
      frame_.reset();
      return absl::OkStatus();
    }
    frame_ = std::move(next->image);
    ++current_;
  }
  return absl::OkStatus();
}

absl::Status OverlayVideo::WriteCurrent() {
  if (writer_ == nullptr) {
    const double rate = decoder_->frame_rate();
    SAM3_ASSIGN_OR_RETURN(
        writer_, VideoWriter::Create(path_, frame_->width(), frame_->height(),
                                     rate > 0 ? rate : 25.0));
  }
  std::vector<std::string> labels;
  for (size_t i = 0; i < results_.size(); ++i) {
    labels.push_back(labels_[std::min(i, labels_.size() - 1)]);
  }
  SAM3_ASSIGN_OR_RETURN(const Image drawn,
                        DrawOverlay(*frame_, results_, labels));
  results_.clear();
  return writer_->Write(drawn);
}

}  // namespace sam3
