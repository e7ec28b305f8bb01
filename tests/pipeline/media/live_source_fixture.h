#pragma once

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pipeline/media/live_source.h"
#include "pipeline/source_failure.h"
#include "tests/support/skipping_clock.h"

namespace sam3 {

// Runs ffmpeg on two seconds of small pictures, 25 a second, with `options`,
// the output's name included. The test fails where ffmpeg does.
void EncodeClip(const std::string& options);

// The bytes of such a clip.
std::string MakeClip(const std::string& name, const std::string& options);

// A live source to which the test's servers are allowed, and what came of one
// connection.
class LiveSourceTest : public testing::Test {
 protected:
  LiveSourceTest();

  // For a server on `port` and those on `other_ports_`.
  std::unique_ptr<LiveSource> MakeSource(int port);

  absl::StatusOr<std::unique_ptr<LiveConnection>> Connect(
      const std::string& url, int port);

  // Pictures until the connection ends, and why it did.
  absl::Status ReadAll(LiveConnection& connection);

  static void ExpectFailure(const absl::Status& status, SourceFailure failure);

  SkippingClock clock_;
  PipelineMetrics metrics_;
  const std::unique_ptr<HostResolver> resolver_ = MakeDnsResolver("", clock_);
  const InProcessVideoOpener videos_;
  LiveLimits limits_;
  ImageLimits picture_limits_;
  HeapAllocator allocator_;
  RequestContext context_{"", "", absl::InfiniteFuture()};
  // Of further servers that are allowed.
  std::vector<int> other_ports_;
  std::unique_ptr<LiveSource> source_;
  std::atomic<int> stalls_{0};
  int pictures_ = 0;
  int width_ = 0;
  std::vector<absl::Duration> offsets_;
  // Places in `offsets_` of pictures that do not go on from the one before.
  std::vector<size_t> discontinuities_;
};

}  // namespace sam3
