#include "tests/pipeline/media/live_source_fixture.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "pipeline/media/host_resolver.h"
#include "pipeline/media/url_gate.h"

namespace sam3 {

namespace fs = std::filesystem;

void EncodeClip(const std::string& options) {
  const std::string command = absl::StrCat(
      "ffmpeg -nostdin -v error -y -f lavfi -i "
      "testsrc=size=128x96:rate=25:duration=2 -pix_fmt yuv420p ",
      options);
  EXPECT_EQ(std::system(command.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
}

std::string MakeClip(const std::string& name, const std::string& options) {
  const std::string path = (fs::path(testing::TempDir()) / name).string();
  EncodeClip(absl::StrCat(options, " ", path));
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  fs::remove(path);
  return bytes;
}

LiveSourceTest::LiveSourceTest() {
  limits_.stall_after = absl::Milliseconds(50);
  limits_.give_up_after = absl::Milliseconds(200);
}

std::unique_ptr<LiveSource> LiveSourceTest::MakeSource(int port) {
  UrlGate::Options options;
  options.allow_http = true;
  options.networks = {"127.0.0.0/8"};
  options.hosts = {absl::StrCat("127.0.0.1:", port),
                   absl::StrCat("rtsp://127.0.0.1:", port)};
  for (const int other : other_ports_) {
    options.hosts.push_back(absl::StrCat("127.0.0.1:", other));
    options.hosts.push_back(absl::StrCat("rtsp://127.0.0.1:", other));
  }
  return MakeLiveSource(limits_, *UrlGate::Create(options), *resolver_, videos_,
                        clock_, metrics_);
}

absl::StatusOr<std::unique_ptr<LiveConnection>> LiveSourceTest::Connect(
    const std::string& url, int port) {
  source_ = MakeSource(port);
  return source_->Connect(SourceUrl(url), picture_limits_, allocator_, context_,
                          [this] { ++stalls_; });
}

absl::Status LiveSourceTest::ReadAll(LiveConnection& connection) {
  while (true) {
    auto picture = connection.Next();
    if (!picture.ok()) return picture.status();
    if (!picture->has_value()) return absl::OkStatus();
    if ((*picture)->discontinuity) discontinuities_.push_back(offsets_.size());
    ++pictures_;
    offsets_.push_back((*picture)->start_offset);
    width_ = (*picture)->image.width();
  }
}

void LiveSourceTest::ExpectFailure(const absl::Status& status,
                                   SourceFailure failure) {
  EXPECT_EQ(SourceFailureOf(status), failure) << status;
}

}  // namespace sam3
