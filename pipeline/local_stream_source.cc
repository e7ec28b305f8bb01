// What a stream's source brings, on the reader's thread.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/local_stream.h"

namespace sam3 {

absl::string_view LocalStream::SourceField() const {
  switch (config_.source) {
    case StreamSourceKind::kFile:
      return "config.file";
    case StreamSourceKind::kUrl:
      return "config.url";
    default:
      return "chunk.data";
  }
}

void LocalStream::SourceOpened(const SourceFacts& facts) {
  {
    const absl::MutexLock lock(&mutex_);
    if (facts_.has_value()) {
      Announce(SourceEvent{SourceEventKind::kOpened, sequencer_.frames_in(),
                           absl::StrCat("the video has frames of ", facts.width,
                                        " x ", facts.height, " pixels"),
                           facts});
    } else {
      facts_ = facts;
    }
  }
  Proceed();
}

bool LocalStream::Publish(DecodedFrame decoded) {
  {
    const absl::MutexLock lock(&mutex_);
    if (cancelled_) return false;
    const int64_t index = sequencer_.Open();
    core_.metrics.frames_in.Add();
    if (decoded.discontinuity) gaps_.push_back(index);
    if (decoded.decode > absl::ZeroDuration()) {
      core_.metrics.decode_seconds.Observe(decoded.decode);
    }
    if (!sampler_.Wants(decoded.start_offset)) {
      sequencer_.Drop(index, DropReason::kSampledOut);
      Count(DropReason::kSampledOut);
    } else {
      mutex_.Await(absl::Condition(this, &LocalStream::RoomOrCancelled));
      if (cancelled_) return false;
      PutFrame({index, std::move(decoded.image), decoded.start_offset,
                std::nullopt, prompts_, core_.clock.Now(), decoded.decode});
    }
  }
  Proceed();
  return true;
}

void LocalStream::ReportSource(SourceEvent event) {
  {
    const absl::MutexLock lock(&mutex_);
    if (event.kind == SourceEventKind::kDamaged) {
      core_.metrics.decode_errors.Add();
    }
    event.frame_index = sequencer_.frames_in();
    Announce(std::move(event));
  }
  Proceed();
}

void LocalStream::SourceEnded(absl::Status status) {
  if (!status.ok()) status = WithField(std::move(status), SourceField());
  {
    const absl::MutexLock lock(&mutex_);
    source_running_ = false;
    input_closed_ = true;
    if (!facts_.has_value()) facts_.emplace();
    if (absl::IsInvalidArgument(status)) core_.metrics.decode_errors.Add();
    if (outcome_.ok()) outcome_ = std::move(status);
  }
  Proceed();
}

}  // namespace sam3
