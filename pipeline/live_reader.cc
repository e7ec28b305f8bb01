#include "pipeline/live_reader.h"

#include <pthread.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "pipeline/media_timeline.h"
#include "pipeline/reconnect_ladder.h"
#include "pipeline/request_context.h"
#include "pipeline/source_events.h"
#include "pipeline/source_failure.h"

namespace sam3 {
namespace {

// Whether a source that was never seen will hardly appear by waiting.
bool IsFinalAtFirst(SourceFailure failure) {
  return failure == SourceFailure::kAuth ||
         failure == SourceFailure::kTlsCertificate ||
         failure == SourceFailure::kNotFound ||
         failure == SourceFailure::kCodecUnsupported;
}

constexpr absl::Duration kBetweenDamages = absl::Seconds(10);

std::string InSeconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(100)));
}

class LiveReader final : public VideoReader {
 public:
  LiveReader(SourceUrl url, const ImageLimits& limits, HostAllocator& allocator,
             const LiveSource& source, ConnectPacer& pacer, Clock& clock,
             PipelineMetrics& metrics, FrameSink& sink)
      : url_(std::move(url)),
        limits_(limits),
        allocator_(allocator),
        source_(source),
        pacer_(pacer),
        clock_(clock),
        metrics_(metrics),
        sink_(sink),
        context_("", "", absl::InfiniteFuture()) {}

  ~LiveReader() override {
    Stop();
    if (thread_.joinable()) thread_.join();
  }

  void Start() override {
    thread_ = std::thread([this] { Run(); });
    pthread_setname_np(thread_.native_handle(), "sam3-live");
  }

  bool WantsBytes() const override { return false; }
  void PushBytes(std::string /*bytes*/) override {}
  void CloseBytes() override {}

  void Stop() override {
    context_.Cancel();
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }

 private:
  void Run() {
    absl::Status end;
    do {
      end = ReadConnection();
      TellDamage();
    } while (!end.ok() && TryAgain(end));
    if (context_.cancelled()) end = Stopped();
    if (end.ok()) {
      sink_.ReportSource(
          {SourceEventKind::kEnded, 0, "the source has ended", {}});
    }
    sink_.SourceEnded(end);
  }

  // From connecting to the end; OK when the source has no more.
  absl::Status ReadConnection() {
    if (!WaitUntil(pacer_.Reserve(clock_.Now()))) return Stopped();
    metrics_.source_connects.Add();
    SAM3_ASSIGN_OR_RETURN(const std::unique_ptr<LiveConnection> connection,
                          source_.Connect(url_, limits_, allocator_, context_,
                                          [this] { OnStall(); }));
    bool new_connection = true;
    damaged_ = 0;
    damage_told_ = 0;
    while (true) {
      absl::StatusOr<std::optional<VideoPicture>> next = connection->Next();
      if (absl::IsResourceExhausted(next.status()) && !new_connection) {
        // Damage too can make a picture seem too large; a new connection will
        // show which it was.
        return SourceFailed(SourceFailure::kCodecUnsupported,
                            next.status().message());
      }
      SAM3_ASSIGN_OR_RETURN(std::optional<VideoPicture> picture,
                            std::move(next));
      if (!picture.has_value()) return absl::OkStatus();
      TellChanges(*picture, connection->frame_rate());
      damaged_ = connection->damaged_parts();
      const absl::Time now = clock_.Now();
      if (now >= tells_damage_from_) TellDamage();
      const bool begins = new_connection || picture->discontinuity;
      const MediaTimeline::Place place =
          timeline_.Next(picture->start_offset, now, begins);
      const bool gap = place.jumped || (begins && had_picture_);
      new_connection = false;
      had_picture_ = true;
      last_picture_ = now;
      ladder_.Reset();
      if (!sink_.Publish({std::move(picture->image), place.offset,
                          /*decode=*/absl::ZeroDuration(), gap})) {
        return Stopped();
      }
    }
  }

  // What a picture shows to be different from before.
  void TellChanges(const VideoPicture& picture, double frame_rate) {
    const SourceFacts facts{picture.image.width(), picture.image.height(),
                            frame_rate};
    if (!had_picture_) {
      sink_.SourceOpened(facts);
    } else if (facts.width != width_ || facts.height != height_) {
      sink_.ReportSource(ResolutionChanged(facts));
    }
    width_ = facts.width;
    height_ = facts.height;
    if (away_ && had_picture_) {
      const absl::Duration outage = clock_.Now() - last_picture_;
      SourceEvent back{SourceEventKind::kBack,
                       0,
                       absl::StrCat("back after ", InSeconds(outage)),
                       {}};
      back.outage = outage;
      sink_.ReportSource(std::move(back));
    }
    away_ = false;
  }

  void TellDamage() {
    if (damaged_ == damage_told_) return;
    sink_.ReportSource(PartsDamaged(damaged_ - damage_told_));
    damage_told_ = damaged_;
    tells_damage_from_ = clock_.Now() + kBetweenDamages;
  }

  void OnStall() {
    if (away_ || !had_picture_) return;
    away_ = true;
    sink_.ReportSource({SourceEventKind::kStalled,
                        0,
                        absl::StrCat("stalled: nothing has come for ",
                                     InSeconds(clock_.Now() - last_picture_)),
                        {}});
  }

  // Waits until another attempt is due; false when there will be none.
  bool TryAgain(const absl::Status& why) {
    const std::optional<SourceFailure> failure = SourceFailureOf(why);
    if (!failure.has_value()) return false;
    metrics_.source_failures[static_cast<size_t>(*failure)].Add();
    if (!had_picture_ && IsFinalAtFirst(*failure)) return false;
    away_ = true;
    const absl::Duration delay =
        ladder_.Next(*failure, absl::Uniform(random_, -1.0, 1.0));
    SourceEvent event{
        SourceEventKind::kReconnecting,
        0,
        absl::StrCat(why.message(), "; reconnecting (", ladder_.attempts(),
                     ") in ", InSeconds(delay)),
        {}};
    event.failure = failure;
    event.attempt = ladder_.attempts();
    event.retry_delay = delay;
    sink_.ReportSource(std::move(event));
    return WaitUntil(clock_.Now() + delay);
  }

  // False when the reader is stopped before.
  bool WaitUntil(absl::Time time) {
    const absl::MutexLock lock(&mutex_);
    return !clock_.AwaitWithDeadline(&mutex_, absl::Condition(&stopped_), time);
  }

  static absl::Status Stopped() {
    return absl::CancelledError("the stream has ended");
  }

  const SourceUrl url_;
  const ImageLimits limits_;
  HostAllocator& allocator_;
  const LiveSource& source_;
  ConnectPacer& pacer_;
  Clock& clock_;
  PipelineMetrics& metrics_;
  FrameSink& sink_;
  // Cancelled by Stop(); the stream's own lives on while it drains.
  RequestContext context_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Touched by the thread only.
  MediaTimeline timeline_;
  ReconnectLadder ladder_;
  absl::BitGen random_;
  bool had_picture_ = false;
  // Whether the client was told that nothing comes.
  bool away_ = false;
  absl::Time last_picture_;
  // The connection's parts that could not be decoded before its last picture;
  // behind that one a broken connection itself is damage.
  int64_t damaged_ = 0;
  int64_t damage_told_ = 0;
  absl::Time tells_damage_from_ = absl::InfinitePast();
  int width_ = 0;
  int height_ = 0;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<VideoReader> MakeLiveReader(
    SourceUrl url, const ImageLimits& limits, HostAllocator& allocator,
    const LiveSource& source, ConnectPacer& pacer, Clock& clock,
    PipelineMetrics& metrics, FrameSink& sink) {
  return std::make_unique<LiveReader>(std::move(url), limits, allocator, source,
                                      pacer, clock, metrics, sink);
}

}  // namespace sam3
