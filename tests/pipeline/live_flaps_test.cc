// Cameras on real sockets that come and go again and again: what each
// connection took must have been given back.
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "pipeline/live_reader.h"
#include "tests/pipeline/collecting_sink.h"
#include "tests/pipeline/media/live_source_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/scripted_camera.h"
#include "tests/support/scripted_web_server.h"
#include "tests/support/synthetic_picture.h"

namespace sam3 {
namespace {

constexpr int kFlaps = 100;

// Entries of a folder of this process: "fd" or "task".
std::ptrdiff_t CountIn(const char* folder) {
  const std::filesystem::directory_iterator entries(
      absl::StrCat("/proc/self/", folder));
  return std::distance(begin(entries), end(entries));
}

// Waits between attempts are skipped, so that hours of flaps pass in seconds.
class LiveFlapsTest : public LiveSourceTest {
 protected:
  // Lets the camera at `url` flap, which must happen at each of its
  // connections, and expects the process to hold afterwards what it held
  // before.
  void ExpectNothingKept(const std::string& url, int port) {
    limits_ = LiveLimits();
    source_ = MakeSource(port);
    Flap(url, 1);
    // The camera's own connections end when it sees ours end.
    ASSERT_TRUE(Eventually([] { return CountIn("task") == 2; }));
    const std::ptrdiff_t sockets = CountIn("fd");
    Flap(url, kFlaps);
    EXPECT_TRUE(Eventually([] { return CountIn("task") == 2; }))
        << CountIn("task") << " threads";
    EXPECT_TRUE(Eventually([&] { return CountIn("fd") == sockets; }))
        << CountIn("fd") << " files, before " << sockets;
  }

 private:
  void Flap(const std::string& url, int times) {
    CollectingSink sink;
    ConnectPacer pacer(limits_.max_connects_per_second);
    const std::unique_ptr<VideoReader> reader =
        MakeLiveReader(SourceUrl(url), picture_limits_, allocator_, *source_,
                       pacer, clock_, metrics_, sink);
    reader->Start();
    const auto returns = [&sink] {
      int count = 0;
      for (const SourceEventKind kind : sink.kinds()) {
        if (kind == SourceEventKind::kBack) ++count;
      }
      return count;
    };
    EXPECT_TRUE(Eventually([&] { return returns() >= times; })) << returns();
    for (const SourceEvent& event : sink.events()) {
      EXPECT_LE(event.attempt, 1) << event.message;
    }
  }
};

TEST_F(LiveFlapsTest, MultipartCamerasLeaveNothingBehind) {
  const std::string picture = DrawAreasPng(64, 48, {});
  const std::string part =
      absl::StrCat("--frame\r\nContent-Length: ", picture.size(), "\r\n\r\n",
                   picture, "\r\n");
  ScriptedWebServer camera;
  camera.On("/", [&](const ScriptedWebServer::Peer& peer) {
    peer.Send(absl::StrCat(
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n",
        part, part, part, "--frame\r\n"));
  });
  ExpectNothingKept(camera.UrlOf("/"), camera.port());
}

TEST_F(LiveFlapsTest, RtspCamerasLeaveNothingBehind) {
  const std::string clip =
      MakeClip("live_flaps_test.h264",
               "-c:v libx264 -bf 0 -g 5 -frames:v 5 -x264-params slices=1:"
               "sliced-threads=0:repeat-headers=1 -threads 1");
  ScriptedCamera camera({.user = "user",
                         .password = "pw",
                         .description = DescribeH264(),
                         .packets = PacketizeH264(clip, 0, 3600)});
  ExpectNothingKept(camera.Url("user:pw"), camera.port());
}

}  // namespace
}  // namespace sam3
