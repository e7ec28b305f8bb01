// What a stream takes over from another one, and leaves to the next.
#include <memory>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/local_stream.h"
#include "pipeline/track_options.h"

namespace sam3 {

absl::Status LocalStream::StartTracks() {
  if (!config_.objects.empty()) {
    tracked_.Hold(core_.model.engine->NewGivenTracks());
    return absl::OkStatus();
  }
  if (!config_.track.has_value()) return absl::OkStatus();
  TrackSeeds seeds;
  if (config_.resume != nullptr) {
    SAM3_ASSIGN_OR_RETURN(seeds, MakeTrackSeeds(*config_.resume, mask_size_));
    const absl::MutexLock lock(&mutex_);
    followed_ = FollowedObjects(*config_.resume);
  }
  tracked_.Hold(core_.model.engine->NewTracks(
      MakeAssociationOptions(*config_.track), std::move(seeds)));
  return absl::OkStatus();
}

std::optional<ResumedFrom> LocalStream::TakenOver() const {
  if (config_.resume == nullptr) return std::nullopt;
  return ResumedFrom{static_cast<int>(config_.resume->objects.size()),
                     config_.resume->frames_before};
}

std::shared_ptr<const ResumeState> LocalStream::Leftover() const {
  // What given objects are is the client's to say again.
  if (!config_.track.has_value() || !config_.objects.empty() || !told_to_go_) {
    return nullptr;
  }
  auto state = std::make_shared<ResumeState>();
  followed_.Describe(*prompts_, state.get());
  state->mask_size = mask_size_;
  state->frames_before = sequencer_.frames_in();
  if (config_.resume != nullptr) {
    state->frames_before += config_.resume->frames_before;
  }
  return state;
}

void LocalStream::GoAway(absl::Time until) {
  {
    const absl::MutexLock lock(&mutex_);
    if (!summarized_ && !told_to_go_) going_away_ = until;
    told_to_go_ = true;
  }
  Proceed();
}

void LocalStream::Drain(absl::Status status) {
  {
    const absl::MutexLock lock(&mutex_);
    if (!input_closed_ && !summarized_ && outcome_.ok()) {
      outcome_ = std::move(status);
    }
    input_closed_ = true;
  }
  // Bytes that came in are decoded to their end; a file is not.
  if (config_.source == StreamSourceKind::kPushedChunks) {
    reader_->CloseBytes();
  } else if (reader_ != nullptr) {
    reader_->Stop();
  }
  Proceed();
}

}  // namespace sam3
