// Cameras on real sockets whose bytes are lost, swapped or damaged on the way,
// or become more than is allowed.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/source_failure.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::Contains;
using testing::Key;

constexpr int kPictures = 50;
constexpr int kGroup = 10;
constexpr char kEncoder[] =
    "-c:v libx264 -bf 0 -g 10 -sc_threshold 0 -b:v 2M -x264-params slices=1:"
    "sliced-threads=0:repeat-headers=1 -threads 1 ";

const std::string& H264() {
  static const std::string kClip =
      MakeClip("damaged_camera_test.h264", kEncoder);
  return kClip;
}

std::string LargeH264() {
  return MakeClip("damaged_camera_test_large.h264",
                  absl::StrCat(kEncoder, "-vf scale=640:480 -frames:v 20"));
}

// Of which LargeH264() breaks one each.
const ImageLimits kTooSmall[] = {{.max_side = 500},
                                 {.max_pixels = 640 * 480 - 1}};

// The most memory that this process has held.
int64_t PeakBytes() {
  std::ifstream status("/proc/self/status");
  int64_t kilobytes = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  return kilobytes << 10;
}

// The number of a packet's picture, by its clock.
int PictureOf(const std::string& packet) {
  uint32_t tick = 0;
  for (size_t i = 4; i < 8; ++i) {
    tick = tick << 8 | static_cast<unsigned char>(packet[i]);
  }
  return static_cast<int>(tick / 3600);
}

std::vector<std::string> Packets() { return PacketizeH264(H264(), 0, 3600); }

using Pictures = std::map<int, std::string>;

class DamagedCameraTest : public LiveSourceTest {
 protected:
  // Pixels of what comes out of a camera that sends `packets`, by the number of
  // the picture; and why it ended.
  absl::Status Play(std::vector<std::string> packets, Pictures* pictures) {
    camera_.Behave(
        {.description = DescribeH264(), .packets = std::move(packets)});
    auto connection = Connect(camera_.Url(), camera_.port());
    if (!connection.ok()) return connection.status();
    while (true) {
      auto picture = (*connection)->Next();
      if (!picture.ok()) return picture.status();
      if (!picture->has_value()) return absl::OkStatus();
      damaged_parts_ = (*connection)->damaged_parts();
      const Image& image = (*picture)->image;
      const auto number =
          static_cast<int>((*picture)->start_offset / absl::Milliseconds(40));
      (*pictures)[number].assign(reinterpret_cast<const char*>(image.pixels()),
                                 image.size_bytes());
    }
  }

  // That pictures come to the end, and from `from` on as if nothing had been.
  void ExpectGoodFrom(int from, const std::vector<std::string>& packets) {
    Pictures whole;
    ExpectFailure(Play(Packets(), &whole), SourceFailure::kConnection);
    ASSERT_EQ(whole.size(), static_cast<size_t>(kPictures));
    EXPECT_EQ(damaged_parts_, 0);
    Pictures pictures;
    ExpectFailure(Play(packets, &pictures), SourceFailure::kConnection);
    EXPECT_NE(pictures, whole);
    EXPECT_GT(damaged_parts_, 0);
    for (int i = from; i < kPictures; ++i) {
      ASSERT_THAT(pictures, Contains(Key(i)));
      EXPECT_TRUE(pictures.at(i) == whole.at(i)) << i;
    }
  }

  ScriptedCamera camera_{{}};
  int64_t damaged_parts_ = 0;
};

TEST_F(DamagedCameraTest, LostPacketsCostNoMoreThanTwoGroupsOfPictures) {
  constexpr int kLast = 16;
  std::vector<std::string> packets = Packets();
  int seen = 0;
  // Every third packet of some pictures, one that begins a group among them.
  const auto lost = [&](const std::string& packet) {
    const int picture = PictureOf(packet);
    return picture >= 8 && picture <= kLast && ++seen % 3 == 0;
  };
  packets.erase(std::remove_if(packets.begin(), packets.end(), lost),
                packets.end());
  ASSERT_GT(seen, 9);
  ExpectGoodFrom(kLast + 2 * kGroup, packets);
}

TEST_F(DamagedCameraTest, SwappedPacketsCostNoMoreThanTwoGroupsOfPictures) {
  constexpr int kLast = 16;
  std::vector<std::string> packets = Packets();
  int swaps = 0;
  for (size_t i = 1; i < packets.size(); i += 3) {
    const int picture = PictureOf(packets[i]);
    if (PictureOf(packets[i - 1]) < 8 || picture > kLast) continue;
    std::swap(packets[i - 1], packets[i]);
    ++swaps;
  }
  ASSERT_GT(swaps, 3);
  ExpectGoodFrom(kLast + 2 * kGroup, packets);
}

TEST_F(DamagedCameraTest, ACameraThatIsJoinedWithinAGroupShowsTheNext) {
  std::vector<std::string> packets = Packets();
  const auto early = [](const std::string& packet) {
    return PictureOf(packet) < 3;
  };
  packets.erase(std::remove_if(packets.begin(), packets.end(), early),
                packets.end());
  Pictures pictures;
  ExpectFailure(Play(packets, &pictures), SourceFailure::kConnection);
  // All from the beginning of the next group on.
  EXPECT_GE(pictures.size(), static_cast<size_t>(kPictures - kGroup));
}

TEST_F(DamagedCameraTest, AnyBitsMayBeWrong) {
  constexpr int kRounds = 30;
  std::mt19937 random(1);
  int played = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> packets = Packets();
    const double rate = std::pow(10, -2 - 4.0 * round / kRounds);
    for (std::string& packet : packets) {
      // Headers too, but the first picture is left whole in half of the rounds.
      if (round % 2 == 0 && PictureOf(packet) == 0) continue;
      FlipBits(rate, &random, &packet);
    }
    Pictures pictures;
    const absl::Status end = Play(packets, &pictures);
    EXPECT_TRUE(SourceFailureOf(end).has_value() ||
                absl::IsResourceExhausted(end))
        << round << ": " << end;
    if (!pictures.empty()) ++played;
  }
  EXPECT_GE(played, kRounds / 2);
}

TEST_F(DamagedCameraTest, PicturesThatAreTooLargeAreRefused) {
  const std::vector<std::string> packets = PacketizeH264(LargeH264(), 0, 3600);
  for (const ImageLimits& limits : kTooSmall) {
    picture_limits_ = limits;
    Pictures pictures;
    EXPECT_THAT(Play(packets, &pictures),
                StatusIs(absl::StatusCode::kResourceExhausted, "640 x 480"));
    EXPECT_TRUE(pictures.empty());
  }
}

TEST_F(DamagedCameraTest, PicturesThatBecomeTooLargeAreRefused) {
  std::vector<std::string> packets = Packets();
  const uint32_t then = kPictures * 3600;
  for (const std::string& packet : PacketizeH264(LargeH264(), then, 3600)) {
    packets.push_back(packet);
  }
  for (const ImageLimits& limits : kTooSmall) {
    picture_limits_ = limits;
    Pictures pictures;
    EXPECT_THAT(Play(packets, &pictures),
                StatusIs(absl::StatusCode::kResourceExhausted, "640 x 480"));
    EXPECT_EQ(pictures.size(), static_cast<size_t>(kPictures));
  }
}

TEST_F(DamagedCameraTest, PicturesThatAreTooLargeTakeNoMemory) {
  constexpr int64_t kSide = 4096;
  ScriptedWebServer server;
  server.Serve(
      "/", MakeClip("damaged_camera_test_huge.ts",
                    absl::StrCat("-c:v libx264 -preset ultrafast -vf scale=",
                                 kSide, ":", kSide, " -frames:v 1")));
  picture_limits_.max_pixels = kSide * kSide - 1;
  const int64_t before = PeakBytes();
  EXPECT_THAT(Connect(server.UrlOf("/"), server.port()),
              StatusIs(absl::StatusCode::kResourceExhausted, "4096 x 4096"));
  // Less than one of them.
  EXPECT_LT(PeakBytes() - before, kSide * kSide);
}

}  // namespace
}  // namespace sam3
