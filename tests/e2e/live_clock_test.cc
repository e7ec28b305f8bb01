// Cameras whose clocks lie, from their packets to the results of a stream.
#include <gmock/gmock.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/e2e/live_fixture.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/transport_stream.h"

namespace sam3 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kPictures = 50;
// From here on the clocks that jump say something else.
constexpr int kJump = 25;
constexpr int64_t kTicks = 3600;  // a picture, of 90 kHz
constexpr int64_t kHour = int64_t{3600} * 90'000;
constexpr int64_t kStart = kHour;

constexpr char kEncoder[] =
    "-c:v libx264 -bf 0 -g 10 -x264-params slices=1:sliced-threads=0:"
    "repeat-headers=1 -threads 1 ";

int64_t Good(int number) { return kStart + number * kTicks; }

// A clock that is right up to kJump and differs by `ticks` from there on.
SaidTime JumpBy(int64_t ticks) {
  return [ticks](int number) -> std::optional<int64_t> {
    return Good(number) + (number >= kJump ? ticks : 0);
  };
}

struct Played {
  std::vector<absl::Duration> offsets;
  // Frames that are marked.
  std::vector<int64_t> gaps;
};

class LiveClockTest : public LiveFixture {
 protected:
  // The results of a whole stream over `url`. Indexes must count the pictures,
  // and times must grow.
  Played Play(const std::string& url) {
    v1::StreamConfig config = ConfigFor(url);
    config.set_delivery(v1::StreamConfig::DELIVERY_EVERY);
    const auto stream = Open(config);
    Played played;
    for (int64_t i = 0; i < kPictures; ++i) {
      const v1::FrameResult result = stream->AwaitResult();
      EXPECT_EQ(result.frame_index(), i);
      const absl::Duration offset =
          absl::Seconds(result.start_offset().seconds()) +
          absl::Nanoseconds(result.start_offset().nanos());
      if (i > 0) {
        EXPECT_GT(offset, played.offsets.back()) << i;
      }
      played.offsets.push_back(offset);
      if (result.discontinuity()) played.gaps.push_back(i);
    }
    stream->Cancel();
    stream->Finish();
    return played;
  }

  // Of a camera that sends MPEG-TS over HTTP.
  Played PlayWith(const SaidTime& say) {
    static const std::string kClip = MakeClip("live_clock_test.ts", kEncoder);
    ScriptedWebServer camera;
    camera.Serve("/", WithTimes(kClip, say));
    StartServer(OptionsFor({camera.port()}), {});
    return Play(camera.UrlOf("/"));
  }

  // Of a camera that sends RTP, whose clock has 32 bits.
  Played PlayRtp(const SaidTime& say) {
    static const std::string kClip = MakeClip("live_clock_test.h264", kEncoder);
    std::vector<std::string> packets = PacketizeH264(kClip, 0, 1);
    for (std::string& packet : packets) {
      const auto ticks =
          static_cast<uint32_t>(*say(static_cast<unsigned char>(packet[7])));
      for (int i = 0; i < 4; ++i) {
        packet[4 + i] = static_cast<char>(ticks >> (24 - 8 * i) & 0xff);
      }
    }
    ScriptedCamera camera({.description = DescribeH264(), .packets = packets});
    StartServer(OptionsFor({camera.port()}), {});
    return Play(camera.Url());
  }

  static void ExpectEvenSteps(const Played& played) {
    for (size_t i = 1; i < played.offsets.size(); ++i) {
      EXPECT_EQ(played.offsets[i] - played.offsets[i - 1],
                absl::Milliseconds(40))
          << i;
    }
  }
};

TEST_F(LiveClockTest, AGoodClockIsBelieved) {
  for (const Played& played : {PlayWith(Good), PlayRtp(Good)}) {
    EXPECT_THAT(played.gaps, IsEmpty());
    ExpectEvenSteps(played);
  }
}

TEST_F(LiveClockTest, AJumpIsAGapAndNoTimeIsLost) {
  for (const int64_t ticks : {10 * kHour, -kHour / 360, -kHour / 2}) {
    SCOPED_TRACE(absl::StrCat(ticks / 90'000, " s"));
    for (const Played& played :
         {PlayWith(JumpBy(ticks)), PlayRtp(JumpBy(ticks))}) {
      EXPECT_THAT(played.gaps, ElementsAre(kJump));
      // The pictures come at once, and that is when they are placed.
      EXPECT_LT(played.offsets.back(), absl::Minutes(1));
    }
  }
}

TEST_F(LiveClockTest, AClockThatWrapsAroundGoesOn) {
  const auto wraps = [](int bits) {
    return [bits](int number) -> std::optional<int64_t> {
      return (int64_t{1} << bits) + (number - kJump) * kTicks;
    };
  };
  for (const Played& played : {PlayWith(wraps(33)), PlayRtp(wraps(32))}) {
    EXPECT_THAT(played.gaps, IsEmpty());
    ExpectEvenSteps(played);
  }
}

TEST_F(LiveClockTest, AClockThatBeginsBelowZeroIsBelieved) {
  const auto negative = [](int number) -> std::optional<int64_t> {
    return (number - 2 * kJump) * kTicks;
  };
  for (const Played& played : {PlayWith(negative), PlayRtp(negative)}) {
    EXPECT_THAT(played.gaps, IsEmpty());
    ExpectEvenSteps(played);
  }
}

TEST_F(LiveClockTest, TimesThatAreMissingAreNoGap) {
  EXPECT_THAT(PlayWith([](int) { return std::nullopt; }).gaps, IsEmpty());
  const Played some = PlayWith([](int number) -> std::optional<int64_t> {
    if (number % 3 == 1) return std::nullopt;
    return Good(number);
  });
  EXPECT_THAT(some.gaps, IsEmpty());
  ExpectEvenSteps(some);
}

TEST_F(LiveClockTest, TimesThatStandStillAreNoGap) {
  const auto twice = [](int number) -> std::optional<int64_t> {
    return Good(number / 2 * 2);
  };
  const auto never = [](int) -> std::optional<int64_t> { return kStart; };
  for (const Played& played :
       {PlayWith(twice), PlayRtp(twice), PlayWith(never)}) {
    EXPECT_THAT(played.gaps, IsEmpty());
    EXPECT_LT(played.offsets.back(), absl::Minutes(1));
  }
}

}  // namespace
}  // namespace sam3
