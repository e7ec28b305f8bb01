#include "pipeline/media/hls_input.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/hls_cursor.h"
#include "pipeline/media/hls_playlist.h"
#include "pipeline/media/live_wait.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

constexpr absl::string_view kSignature = "#EXTM3U";
constexpr absl::string_view kContentTypes[] = {
    "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl",
    "audio/x-mpegurl"};
constexpr size_t kPlaylistReadBytes = 16 << 10;
// A live playlist's next segment is late when this many target durations have
// passed since the last one appeared.
constexpr double kLateAfter = 1.5;

absl::StatusOr<HlsPlaylist> ReadPlaylist(HttpInput& answer) {
  answer.EndWithConnection();
  std::string text;
  while (true) {
    const size_t size = text.size();
    text.resize(size + kPlaylistReadBytes);
    const int64_t count = answer.Read(
        reinterpret_cast<uint8_t*>(text.data()) + size, kPlaylistReadBytes);
    if (count < 0) return answer.status();
    text.resize(size + static_cast<size_t>(count));
    if (count == 0 || text.size() > kMaxHlsPlaylistBytes) {
      return ParseHlsPlaylist(text);
    }
  }
}

class SegmentChain final : public HlsInput {
 public:
  SegmentChain(const LiveAccess& access, absl::Time deadline)
      : access_(access),
        wait_(access_.limits, access_.context, access_.clock, access_.on_stall),
        deadline_(deadline) {
    wait_.SetDeadline(deadline);
  }

  // Blocks until the first segment answers.
  absl::Status Begin(HttpInput& answer, const ImageLimits& picture_limits) {
    playlist_url_ = answer.url();
    loaded_at_ = access_.clock.Now();
    SAM3_ASSIGN_OR_RETURN(HlsPlaylist playlist, ReadPlaylist(answer));
    const auto* master = std::get_if<HlsMasterPlaylist>(&playlist);
    if (master == nullptr) {
      Take(std::get<HlsMediaPlaylist>(std::move(playlist)));
    } else {
      SAM3_ASSIGN_OR_RETURN(
          playlist_url_,
          access_.gate.CheckRedirect(
              playlist_url_, PickHlsVariant(*master, picture_limits).uri));
      SAM3_RETURN_IF_ERROR(Load());
    }
    live_ = !cursor_.ended();
    return OpenNext();
  }

  bool live() const override { return live_; }
  absl::Status status() const override { return status_; }

  void SetDeadline(absl::Time deadline) override {
    deadline_ = deadline;
    wait_.SetDeadline(deadline);
    if (current_ != nullptr) current_->SetDeadline(deadline);
  }

  void Abort() override {
    const absl::MutexLock lock(&mutex_);
    aborted_ = true;
    if (current_ != nullptr) current_->Abort();
  }

  int64_t Read(uint8_t* buffer, size_t size) override {
    while (status_.ok() && !ended_ && !part_ended_) {
      if (current_ == nullptr) {
        status_ = OpenNext();
        continue;
      }
      const int64_t count = current_->Read(buffer, size);
      status_ = count < 0 ? current_->status() : Count(count);
      if (count > 0 && status_.ok()) return count;
      SetCurrent(nullptr);
    }
    return status_.ok() ? 0 : -1;
  }

  bool NextPart() override { return std::exchange(part_ended_, false); }

 private:
  // The next map or segment becomes the current one, unless the part or all
  // has ended.
  absl::Status OpenNext() {
    if (waiting_.empty()) {
      SAM3_ASSIGN_OR_RETURN(const std::optional<HlsCursor::Step> step,
                            AwaitSegment());
      ended_ = !step.has_value();
      if (ended_) return absl::OkStatus();
      const bool begins = first_ || step->anew;
      part_ended_ = !first_ && step->anew;
      first_ = false;
      if (begins && step->segment.map.has_value()) {
        waiting_.push_back(*step->segment.map);
      }
      waiting_.push_back(step->segment.resource);
      if (part_ended_) return absl::OkStatus();
    }
    const HlsResource next = std::move(waiting_.front());
    waiting_.pop_front();
    SAM3_ASSIGN_OR_RETURN(const CheckedUrl url,
                          access_.gate.CheckRedirect(playlist_url_, next.uri));
    SAM3_ASSIGN_OR_RETURN(
        std::unique_ptr<HttpInput> answer,
        HttpInput::Open(url, next.range, access_, OpenDeadline()));
    answer->EndWithConnection();
    answer->SetDeadline(deadline_);
    range_ = next.range;
    count_ = 0;
    SetCurrent(std::move(answer));
    return absl::OkStatus();
  }

  // Nothing when there will be none.
  absl::StatusOr<std::optional<HlsCursor::Step>> AwaitSegment() {
    wait_.Restart();
    while (true) {
      SAM3_RETURN_IF_ERROR(StillWanted());
      if (!cursor_.ended() && access_.clock.Now() >= reload_at_) {
        SAM3_RETURN_IF_ERROR(Load());
      }
      std::optional<HlsCursor::Step> step = cursor_.Next();
      if (step.has_value() || cursor_.ended()) return step;
      SAM3_RETURN_IF_ERROR(AwaitReload());
    }
  }

  absl::Status AwaitReload() {
    const absl::Time late_at =
        news_at_ + kLateAfter * cursor_.target_duration();
    for (absl::Time now = access_.clock.Now(); now < reload_at_;
         now = access_.clock.Now()) {
      if (now < late_at) wait_.Restart();
      SAM3_RETURN_IF_ERROR(StillWanted());
      const absl::Duration slice =
          absl::Milliseconds(LiveWait::kSliceMilliseconds);
      SAM3_RETURN_IF_ERROR(SleepUntil(std::min(reload_at_, now + slice),
                                      access_.context, access_.clock));
    }
    return absl::OkStatus();
  }

  absl::Status StillWanted() {
    SAM3_RETURN_IF_ERROR(wait_.Check());
    const absl::MutexLock lock(&mutex_);
    return aborted_ ? absl::CancelledError("aborted") : absl::OkStatus();
  }

  // Loads the media playlist.
  absl::Status Load() {
    loaded_at_ = access_.clock.Now();
    SAM3_ASSIGN_OR_RETURN(
        const std::unique_ptr<HttpInput> answer,
        HttpInput::Open(playlist_url_, std::nullopt, access_, OpenDeadline()));
    // Its URIs are relative to where it was found.
    playlist_url_ = answer->url();
    SAM3_ASSIGN_OR_RETURN(HlsPlaylist playlist, ReadPlaylist(*answer));
    if (std::holds_alternative<HlsMasterPlaylist>(playlist)) {
      return SourceFailed(SourceFailure::kCodecUnsupported,
                          "the HLS playlist names variants where it should "
                          "name segments");
    }
    Take(std::get<HlsMediaPlaylist>(std::move(playlist)));
    return absl::OkStatus();
  }

  void Take(HlsMediaPlaylist playlist) {
    const bool news = cursor_.Update(std::move(playlist));
    if (news) news_at_ = access_.clock.Now();
    reload_at_ = loaded_at_ + cursor_.target_duration() / (news ? 1 : 2);
  }

  absl::Status Count(int64_t count) {
    count_ += count;
    if (count_ > kMaxHlsSegmentBytes) {
      return WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "an HLS segment has more than ", kMaxHlsSegmentBytes, " bytes")),
          reason::kMediaTooLarge);
    }
    if (range_.has_value() &&
        (count == 0 ? count_ < range_->size : count_ > range_->size)) {
      return SourceFailed(SourceFailure::kConnection,
                          "the host answered with another part of the file");
    }
    return absl::OkStatus();
  }

  absl::Time OpenDeadline() const {
    return std::min(deadline_,
                    access_.clock.Now() + access_.limits.open_timeout);
  }

  void SetCurrent(std::unique_ptr<HttpInput> input) {
    // What it replaces is closed without the lock.
    const absl::MutexLock lock(&mutex_);
    current_.swap(input);
    if (aborted_ && current_ != nullptr) current_->Abort();
  }

  const LiveAccess access_;
  LiveWait wait_;
  absl::Time deadline_;
  CheckedUrl playlist_url_;
  HlsCursor cursor_;
  absl::Time loaded_at_;
  absl::Time reload_at_;
  // When the playlist last told something new.
  absl::Time news_at_;
  bool live_ = false;
  bool first_ = true;
  bool ended_ = false;
  bool part_ended_ = false;
  // What is asked for before the cursor is.
  std::deque<HlsResource> waiting_;
  // Of the current answer: what was asked for, and what has come.
  std::optional<ByteRange> range_;
  int64_t count_ = 0;
  absl::Status status_;
  absl::Mutex mutex_;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  // Replaced under the lock by the reading thread, which alone reads it
  // without.
  std::unique_ptr<HttpInput> current_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HlsInput>> HlsInput::Open(
    std::unique_ptr<HttpInput> answer, const ImageLimits& picture_limits,
    const LiveAccess& access, absl::Time deadline) {
  auto chain = std::make_unique<SegmentChain>(access, deadline);
  SAM3_RETURN_IF_ERROR(chain->Begin(*answer, picture_limits));
  return chain;
}

bool IsHlsPlaylist(HttpInput& answer) {
  const std::string content_type = answer.content_type();
  const absl::string_view type = absl::StripAsciiWhitespace(
      absl::string_view(content_type).substr(0, content_type.find(';')));
  for (const absl::string_view hls : kContentTypes) {
    if (absl::EqualsIgnoreCase(type, hls)) return true;
  }
  return answer.Peek(kSignature.size()) == kSignature;
}

}  // namespace sam3
