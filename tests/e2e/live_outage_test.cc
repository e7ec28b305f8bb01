// Many cameras on one server, and bad ones beside good ones.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/health.h"
#include "tests/e2e/live_fixture.h"
#include "tests/e2e/raw_call.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/byte_mutator.h"
#include "tests/support/eventually.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

using testing::Contains;

using Kind = v1::SourceEvent;

class LiveOutageTest : public LiveFixture {};

// Cameras behind one switch, which can hang up on all clients.
class CameraSwitch {
 public:
  CameraSwitch(std::string head, std::string part) {
    server_.On("/", [this, head, part](const ScriptedWebServer::Peer& peer) {
      const int outages = outages_;
      {
        const absl::MutexLock lock(&mutex_);
        connected_.push_back(absl::Now());
      }
      peer.Send(head + part);
      while (outages == outages_ && !peer.GoneWithin(absl::Milliseconds(100))) {
        peer.Send(part);
      }
    });
  }

  int port() const { return server_.port(); }
  std::string Url() const { return server_.UrlOf("/"); }
  void HangUp() { ++outages_; }

  // When clients came since `begin`, in order.
  std::vector<absl::Time> ConnectedSince(absl::Time begin) const {
    const absl::MutexLock lock(&mutex_);
    std::vector<absl::Time> times;
    std::copy_if(connected_.begin(), connected_.end(),
                 std::back_inserter(times),
                 [begin](absl::Time time) { return time >= begin; });
    std::sort(times.begin(), times.end());
    return times;
  }

 private:
  std::atomic<int> outages_{0};
  mutable absl::Mutex mutex_;
  std::vector<absl::Time> connected_ ABSL_GUARDED_BY(mutex_);
  // Last: its threads use the others.
  ScriptedWebServer server_;
};

TEST_F(LiveOutageTest, FiftyCamerasThatComeBackAtOnceAreTakenOneByOne) {
  constexpr size_t kCameras = 50;
  CameraSwitch cameras(MultipartHead(), Part());
  StartServer(OptionsFor({cameras.port()}), {});
  v1::StreamConfig config = ConfigFor(cameras.Url());
  config.set_task(v1::StreamConfig::TASK_TRACK);
  std::vector<std::unique_ptr<OpenStream>> streams;
  for (size_t i = 0; i < kCameras; ++i) streams.push_back(Open(config));
  std::vector<v1::FrameResult> before;
  for (const auto& stream : streams) {
    before.push_back(stream->AwaitResult());
    ASSERT_EQ(before.back().result().instances_size(), 1);
  }
  auto health = HealthEndpoint::Start("127.0.0.1:0");
  ASSERT_THAT(health, IsOk());
  const auto probe =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", (*health)->port()),
                          grpc::InsecureChannelCredentials());
  const absl::Time outage = absl::Now();
  cameras.HangUp();
  for (size_t i = 0; i < kCameras; ++i) {
    EXPECT_EQ(streams[i]->AwaitEvent(Kind::KIND_RECONNECTING).attempt(), 1);
    // Others are served meanwhile.
    if (i % 10 == 0) {
      EXPECT_TRUE(SendBytes(probe, "/grpc.health.v1.Health/Check", {""}).ok());
      v1::SegmentConceptsResponse response;
      grpc::ClientContext context;
      EXPECT_TRUE(
          stub_->SegmentConcepts(&context, RequestFor({"red"}), &response)
              .ok());
    }
  }
  for (size_t i = 0; i < kCameras; ++i) {
    const v1::SourceEvent back = streams[i]->AwaitEvent(Kind::KIND_BACK);
    const v1::FrameResult first = streams[i]->AwaitResult();
    EXPECT_TRUE(first.discontinuity());
    EXPECT_GE(first.frame_index(), back.frame_index());
    EXPECT_GT(first.frame_index(), before[i].frame_index());
    ASSERT_EQ(first.result().instances_size(), 1) << i;
    EXPECT_EQ(first.result().instances(0).object_id(),
              before[i].result().instances(0).object_id());
  }
  const std::vector<absl::Time> times = cameras.ConnectedSince(outage);
  ASSERT_EQ(times.size(), kCameras);
  for (size_t i = 0; i < kCameras; ++i) {
    // 0.8 s is the ladder's shortest step. Counted from the outage, so that a
    // busy machine can only come later.
    EXPECT_GE(times[i] - outage,
              absl::Seconds(0.8) + absl::Milliseconds(100) * i)
        << i;
  }
  for (const auto& stream : streams) stream->Cancel();
  for (const auto& stream : streams) stream->Finish();
  EXPECT_TRUE(Eventually([&] { return metrics_.streams_active.value() == 0; }));
}

// Packets of which, from number `first` on, every bit is wrong with some
// probability.
std::vector<std::string> Damaged(const std::vector<std::string>& packets,
                                 size_t first, double probability) {
  std::mt19937 random(1);
  std::vector<std::string> damaged = packets;
  for (size_t i = first; i < damaged.size(); ++i) {
    FlipBits(probability, &random, &damaged[i]);
  }
  return damaged;
}

TEST_F(LiveOutageTest, ADamagedCameraCostsAGoodOneNothing) {
  constexpr int kLeast = 100;
  std::atomic<bool> done{false};
  std::atomic<int> sent{0};
  ScriptedWebServer good;
  good.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead());
    do {
      ++sent;
      peer.Send(Part());
    } while ((!done || sent < kLeast) &&
             !peer.GoneWithin(absl::Milliseconds(10)));
  });
  const std::vector<std::string> packets =
      PacketizeH264(MakeClip("live_outage_test.h264",
                             "-c:v libx264 -bf 0 -g 10 -x264-params slices=1:"
                             "sliced-threads=0:repeat-headers=1 -threads 1"),
                    0, 3600);
  ScriptedCamera bad({.description = DescribeH264(),
                      .packets = Damaged(packets, packets.size() / 4, 1e-3)});
  StartServer(OptionsFor({good.port(), bad.port()}), {});
  v1::StreamConfig config = ConfigFor(good.UrlOf("/"));
  config.set_delivery(v1::StreamConfig::DELIVERY_EVERY);
  const auto watched = Open(config);
  ASSERT_EQ(watched->AwaitResult().frame_index(), 0);

  const auto beside = Open(bad.Url());
  beside->AwaitResult();
  beside->AwaitEvent(Kind::KIND_RECONNECTING);
  bad.Behave(
      {.description = DescribeH264(), .packets = Damaged(packets, 0, 1e-2)});
  beside->AwaitEvent(Kind::KIND_RECONNECTING);
  bad.Behave({.description = DescribeH264(), .packets = packets});
  EXPECT_GT(beside->AwaitEvent(Kind::KIND_BACK).frame_index(), 0);
  EXPECT_GT(beside->AwaitResult().frame_index(), 0);

  done = true;
  int64_t next = 1;
  watched->Await([&](const v1::SegmentStreamResponse& response) {
    if (response.has_source_event()) {
      return response.source_event().kind() == Kind::KIND_RECONNECTING;
    }
    EXPECT_TRUE(response.has_result()) << response.ShortDebugString();
    EXPECT_EQ(response.result().frame_index(), next++);
    EXPECT_EQ(response.result().result().instances_size(), 1);
    EXPECT_FALSE(response.result().discontinuity());
    return false;
  });
  EXPECT_EQ(next, sent);
  EXPECT_GE(next, kLeast);
  for (const auto& stream : {std::ref(watched), std::ref(beside)}) {
    stream.get()->Cancel();
    stream.get()->Finish();
  }
}

TEST_F(LiveOutageTest, PicturesThatAreTooLargeEndTheStreamWithItsReason) {
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(MultipartHead() + Part());
    peer.AwaitGone();
  });
  SegmenterOptions options = OptionsFor({camera.port()});
  options.image_limits.max_side = 100;
  StartServer(options, {});
  const grpc::Status status = Open(camera.UrlOf("/"))->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonIn(status), "MEDIA_TOO_LARGE");
  EXPECT_THAT(FieldsIn(status), Contains("config.url"));
}

}  // namespace
}  // namespace sam3
