// Sources that fail and come back, on a clock that the test moves.
#include "pipeline/live_reader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/media/url_failure.h"
#include "tests/pipeline/collecting_sink.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

using testing::ElementsAre;

// What a scripted connection does next.
struct Picture {
  absl::Duration offset;
  int width = 64;
  bool discontinuity = false;
};
struct Stall {};
struct Damage {};
// Time passes.
struct Later {
  absl::Duration time;
};
struct End {};
// Waits until it is cancelled.
struct Hang {};
using Step =
    std::variant<Picture, Stall, Damage, Later, End, Hang, absl::Status>;
using Script = std::vector<Step>;

class ScriptedConnection final : public LiveConnection {
 public:
  ScriptedConnection(Script script, FakeClock& clock,
                     const RequestContext& context,
                     std::function<void()> on_stall)
      : steps_(script.begin(), script.end()),
        clock_(clock),
        context_(context),
        on_stall_(std::move(on_stall)) {}

  absl::StatusOr<std::optional<VideoPicture>> Next() override {
    while (!steps_.empty()) {
      const Step step = steps_.front();
      steps_.pop_front();
      if (const auto* picture = std::get_if<Picture>(&step)) {
        VideoPicture out;
        out.image = DrawAreas(picture->width, 48, {});
        out.start_offset = picture->offset;
        out.discontinuity = picture->discontinuity;
        return std::optional<VideoPicture>(std::move(out));
      }
      if (std::holds_alternative<Stall>(step)) on_stall_();
      if (std::holds_alternative<Damage>(step)) ++damaged_;
      if (const auto* later = std::get_if<Later>(&step)) {
        clock_.Advance(later->time);
      }
      if (std::holds_alternative<Hang>(step)) {
        while (!context_.cancelled()) std::this_thread::yield();
        return absl::CancelledError("cancelled");
      }
      if (std::holds_alternative<absl::Status>(step)) {
        return std::get<absl::Status>(step);
      }
      if (std::holds_alternative<End>(step)) break;
    }
    return std::optional<VideoPicture>();
  }

  double frame_rate() const override { return 25; }
  int64_t damaged_parts() const override { return damaged_; }

 private:
  std::deque<Step> steps_;
  FakeClock& clock_;
  const RequestContext& context_;
  const std::function<void()> on_stall_;
  int64_t damaged_ = 0;
};

// Connections in order; a script that begins with a status cannot be
// connected to. The last one is used again and again.
class ScriptedSource final : public LiveSource {
 public:
  ScriptedSource(std::vector<Script> scripts, FakeClock& clock)
      : scripts_(std::move(scripts)), clock_(clock) {}

  absl::Status Check(const SourceUrl& /*url*/) const override {
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<LiveConnection>> Connect(
      const SourceUrl& /*url*/, const ImageLimits& /*limits*/,
      HostAllocator& /*allocator*/, const RequestContext& context,
      const std::function<void()>& on_stall) const override {
    const absl::MutexLock lock(&mutex_);
    const Script& script =
        scripts_[std::min(times_.size(), scripts_.size() - 1)];
    times_.push_back(clock_.Now());
    if (!script.empty() && std::holds_alternative<absl::Status>(script[0])) {
      return std::get<absl::Status>(script[0]);
    }
    return std::make_unique<ScriptedConnection>(script, clock_, context,
                                                on_stall);
  }

  // When it was connected to.
  std::vector<absl::Time> times() const {
    const absl::MutexLock lock(&mutex_);
    return times_;
  }

 private:
  const std::vector<Script> scripts_;
  FakeClock& clock_;
  mutable absl::Mutex mutex_;
  mutable std::vector<absl::Time> times_ ABSL_GUARDED_BY(mutex_);
};

class LiveReaderTest : public testing::Test {
 protected:
  void Start(std::vector<Script> scripts) {
    source_ = std::make_unique<ScriptedSource>(std::move(scripts), clock_);
    reader_ =
        MakeLiveReader(SourceUrl("rtsp://camera.example/"), {}, allocator_,
                       *source_, pacer_, clock_, metrics_, sink_);
    reader_->Start();
  }

  // Lets time pass until `holds`.
  void Advance(const std::function<bool()>& holds) {
    while (!holds()) {
      clock_.Advance(absl::Milliseconds(50));
      std::this_thread::yield();
    }
  }

  void RunToTheEnd(std::vector<Script> scripts) {
    Start(std::move(scripts));
    Advance([&] { return sink_.end().has_value(); });
  }

  static absl::Status Lost() {
    return SourceFailed(SourceFailure::kConnection, "the host hung up");
  }

  FakeClock clock_;
  PipelineMetrics metrics_;
  ConnectPacer pacer_{10};
  HeapAllocator allocator_;
  CollectingSink sink_;
  std::unique_ptr<ScriptedSource> source_;
  std::unique_ptr<VideoReader> reader_;
};

TEST_F(LiveReaderTest, ASourceThatEndsIsDone) {
  RunToTheEnd({{Picture{absl::Seconds(0)}, Picture{absl::Seconds(1)}, End{}}});
  EXPECT_THAT(*sink_.end(), IsOk());
  EXPECT_THAT(sink_.kinds(),
              ElementsAre(SourceEventKind::kOpened, SourceEventKind::kEnded));
  EXPECT_EQ(sink_.facts().width, 64);
  EXPECT_EQ(sink_.facts().frame_rate, 25);
  ASSERT_EQ(sink_.frames().size(), 2u);
  EXPECT_FALSE(sink_.frames()[0].discontinuity);
  EXPECT_FALSE(sink_.frames()[1].discontinuity);
  EXPECT_EQ(metrics_.source_connects.value(), 1);
}

TEST_F(LiveReaderTest, AGapIsToldAndTheStreamGoesOn) {
  RunToTheEnd({{Picture{absl::Seconds(0)}, Picture{absl::Seconds(1)}, Lost()},
               {Lost()},
               {Picture{absl::Seconds(0)}, Picture{absl::Seconds(1)}, End{}}});
  EXPECT_THAT(*sink_.end(), IsOk());
  EXPECT_THAT(
      sink_.kinds(),
      ElementsAre(SourceEventKind::kOpened, SourceEventKind::kReconnecting,
                  SourceEventKind::kReconnecting, SourceEventKind::kBack,
                  SourceEventKind::kEnded));
  const std::vector<SourceEvent> events = sink_.events();
  EXPECT_EQ(events[0].failure, SourceFailure::kConnection);
  EXPECT_EQ(events[0].attempt, 1);
  EXPECT_EQ(events[1].attempt, 2);
  EXPECT_GE(events[1].retry_delay, absl::Seconds(0.8));
  EXPECT_LE(events[1].retry_delay, absl::Seconds(1.2));
  EXPECT_GE(events[2].outage, absl::Seconds(1.6));
  const std::vector<PublishedFrame> frames = sink_.frames();
  ASSERT_EQ(frames.size(), 4u);
  EXPECT_FALSE(frames[1].discontinuity);
  EXPECT_TRUE(frames[2].discontinuity);
  EXPECT_FALSE(frames[3].discontinuity);
  for (size_t i = 1; i < frames.size(); ++i) {
    EXPECT_GT(frames[i].offset, frames[i - 1].offset) << i;
  }
  EXPECT_EQ(metrics_.source_failures[0].value(), 2);
}

TEST_F(LiveReaderTest, AGapWithinAConnectionIsMarkedToo) {
  RunToTheEnd({{Picture{absl::Seconds(5), 64, /*discontinuity=*/true},
                Picture{absl::Seconds(6)},
                Picture{absl::ZeroDuration(), 64, /*discontinuity=*/true},
                Picture{absl::Seconds(1)}, End{}}});
  const std::vector<PublishedFrame> frames = sink_.frames();
  ASSERT_EQ(frames.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(frames[i].discontinuity, i == 2) << i;
    if (i == 0) continue;
    EXPECT_GT(frames[i].offset, frames[i - 1].offset) << i;
  }
  EXPECT_EQ(frames[3].offset - frames[2].offset, absl::Seconds(1));
  EXPECT_THAT(sink_.kinds(),
              ElementsAre(SourceEventKind::kOpened, SourceEventKind::kEnded));
}

TEST_F(LiveReaderTest, AttemptsClimbTheLadderUntilPicturesCome) {
  std::vector<Script> scripts = {{Picture{absl::Seconds(0)}, Lost()}};
  for (int i = 0; i < 22; ++i) scripts.push_back({Lost()});
  scripts.push_back({Picture{absl::Seconds(0)}, Lost()});
  scripts.push_back({Picture{absl::Seconds(0)}, End{}});
  RunToTheEnd(std::move(scripts));
  const std::vector<absl::Time> times = source_->times();
  ASSERT_EQ(times.size(), 25u);
  for (size_t i = 1; i <= 23; ++i) {
    const int seconds = i <= 5 ? 1 : i <= 10 ? 5 : i <= 20 ? 10 : 60;
    EXPECT_GE(times[i] - times[i - 1], 0.8 * absl::Seconds(seconds)) << i;
  }
  // The first attempt after pictures came.
  const std::vector<SourceEvent> events = sink_.events();
  EXPECT_EQ(events[events.size() - 3].attempt, 1);
  EXPECT_LE(events[events.size() - 3].retry_delay, absl::Seconds(1.2));
}

TEST_F(LiveReaderTest, AStallThatPassesIsNoGap) {
  RunToTheEnd(
      {{Picture{absl::Seconds(0)}, Stall{}, Stall{}, Picture{absl::Seconds(3)},
        Stall{}, Picture{absl::Seconds(6)}, End{}}});
  EXPECT_THAT(sink_.kinds(),
              ElementsAre(SourceEventKind::kOpened, SourceEventKind::kStalled,
                          SourceEventKind::kBack, SourceEventKind::kStalled,
                          SourceEventKind::kBack, SourceEventKind::kEnded));
  for (const PublishedFrame& frame : sink_.frames()) {
    EXPECT_FALSE(frame.discontinuity);
  }
}

TEST_F(LiveReaderTest, DamageIsToldNowAndThen) {
  const Later enough{absl::Seconds(10)};
  Start(
      {{Picture{absl::Seconds(0)}, Damage{}, Damage{},
        Picture{absl::Seconds(1)}, Damage{}, Picture{absl::Seconds(2)}, enough,
        Picture{absl::Seconds(3)}, enough, Picture{absl::Seconds(4)}, Hang{}}});
  while (sink_.frames().size() < 5) std::this_thread::yield();
  ASSERT_THAT(sink_.kinds(),
              ElementsAre(SourceEventKind::kOpened, SourceEventKind::kDamaged,
                          SourceEventKind::kDamaged));
  EXPECT_THAT(sink_.events()[0].message, testing::HasSubstr("2 parts"));
  EXPECT_EQ(sink_.events()[1].message,
            "1 part of the video could not be decoded");
  reader_->Stop();
  Advance([&] { return sink_.end().has_value(); });
}

TEST_F(LiveReaderTest, DamageIsToldBeforeItsConnectionIsForgotten) {
  RunToTheEnd(
      {{Picture{absl::Seconds(0)}, Damage{}, Picture{absl::Seconds(1)},
        Damage{}, Damage{}, Picture{absl::Seconds(2)}, Damage{}, Lost()},
       {Picture{absl::Seconds(0)}, End{}}});
  EXPECT_THAT(
      sink_.kinds(),
      ElementsAre(SourceEventKind::kOpened, SourceEventKind::kDamaged,
                  SourceEventKind::kDamaged, SourceEventKind::kReconnecting,
                  SourceEventKind::kBack, SourceEventKind::kEnded));
  // The last was the break itself.
  EXPECT_THAT(sink_.events()[1].message, testing::HasSubstr("2 parts"));
}

TEST_F(LiveReaderTest, ASourceThatWasNeverSeenFailsAtOnceWhenWaitingIsNoUse) {
  RunToTheEnd({{SourceFailed(SourceFailure::kAuth, "wrong password")}});
  EXPECT_THAT(*sink_.end(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     "wrong password"));
  EXPECT_TRUE(sink_.kinds().empty());
  EXPECT_EQ(source_->times().size(), 1u);
}

TEST_F(LiveReaderTest, ASourceThatWasNeverSeenIsWaitedForWhenItMayCome) {
  RunToTheEnd({{Lost()},
               {SourceFailed(SourceFailure::kTimeout, "no answer")},
               {Picture{absl::Seconds(0)}, End{}}});
  EXPECT_THAT(*sink_.end(), IsOk());
  EXPECT_THAT(sink_.kinds(),
              ElementsAre(SourceEventKind::kReconnecting,
                          SourceEventKind::kReconnecting,
                          SourceEventKind::kOpened, SourceEventKind::kEnded));
  EXPECT_FALSE(sink_.frames()[0].discontinuity);
}

TEST_F(LiveReaderTest, AChangedPasswordIsTriedOnceAMinute) {
  RunToTheEnd({{Picture{absl::Seconds(0)}, Lost()},
               {SourceFailed(SourceFailure::kAuth, "x")},
               {SourceFailed(SourceFailure::kAuth, "x")},
               {Picture{absl::Seconds(0)}, End{}}});
  const std::vector<absl::Time> times = source_->times();
  ASSERT_EQ(times.size(), 4u);
  EXPECT_GE(times[2] - times[1], absl::Minutes(1));
  EXPECT_GE(times[3] - times[2], absl::Minutes(1));
}

TEST_F(LiveReaderTest, ARefusalOfTheGateEndsTheStreamLaterToo) {
  RunToTheEnd({{Picture{absl::Seconds(0)}, Lost()},
               {UrlFailed(UrlFailure::kAddress, "not public")}});
  EXPECT_THAT(*sink_.end(),
              StatusIs(absl::StatusCode::kPermissionDenied, "not public"));
}

TEST_F(LiveReaderTest, PicturesThatBecomeTooLargeEndTheStreamWhenTheyStaySo) {
  const absl::Status large = absl::ResourceExhaustedError("too large");
  RunToTheEnd({{Picture{absl::Seconds(0)}, large},
               {Picture{absl::Seconds(0)}, large},
               {large}});
  EXPECT_THAT(*sink_.end(),
              StatusIs(absl::StatusCode::kResourceExhausted, "too large"));
  ASSERT_THAT(
      sink_.kinds(),
      ElementsAre(SourceEventKind::kOpened, SourceEventKind::kReconnecting,
                  SourceEventKind::kBack, SourceEventKind::kReconnecting));
  EXPECT_EQ(sink_.events()[0].failure, SourceFailure::kCodecUnsupported);
  EXPECT_EQ(source_->times().size(), 3u);
}

TEST_F(LiveReaderTest, PicturesOfAnotherSizeAreTold) {
  RunToTheEnd({{Picture{absl::Seconds(0)}, Lost()},
               {Picture{absl::Seconds(0), 96}, End{}}});
  const std::vector<SourceEvent> events = sink_.events();
  EXPECT_EQ(events[1].kind, SourceEventKind::kResolutionChanged);
  EXPECT_EQ(events[1].source.width, 96);
}

TEST_F(LiveReaderTest, StopEndsWaitingForTheNextAttempt) {
  Start({{Picture{absl::Seconds(0)}, Lost()}});
  Advance([&] { return !sink_.events().empty(); });
  // The clock stands still from here.
  reader_->Stop();
  while (!sink_.end().has_value()) std::this_thread::yield();
  EXPECT_THAT(*sink_.end(), StatusIs(absl::StatusCode::kCancelled, ""));
}

TEST_F(LiveReaderTest, StopEndsAConnectionThatHangs) {
  Start({{Picture{absl::Seconds(0)}, Hang{}}});
  while (sink_.frames().empty()) std::this_thread::yield();
  reader_->Stop();
  while (!sink_.end().has_value()) std::this_thread::yield();
  EXPECT_THAT(*sink_.end(), StatusIs(absl::StatusCode::kCancelled, ""));
}

}  // namespace
}  // namespace sam3
