// What it costs that a video is decoded in a process of its own: pictures a
// second of each way, in turns, and how long opening takes.
//
//   decoder_process VIDEO [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/decoder_zygote.h"
#include "pipeline/media/video_opener.h"

namespace sam3 {
namespace {

struct Round {
  double open_ms = 0;
  double per_second = 0;
};

absl::StatusOr<Round> Decode(const VideoOpener& videos,
                             const std::string& path) {
  HeapAllocator allocator;
  const absl::Time start = absl::Now();
  SAM3_ASSIGN_OR_RETURN(const std::unique_ptr<VideoDecoder> decoder,
                        videos.OpenFile(path, {}, allocator));
  const absl::Time opened = absl::Now();
  int pictures = 0;
  while (true) {
    SAM3_ASSIGN_OR_RETURN(const auto picture, decoder->Next());
    if (!picture.has_value()) break;
    ++pictures;
  }
  return Round{absl::ToDoubleMilliseconds(opened - start),
               pictures / absl::ToDoubleSeconds(absl::Now() - opened)};
}

Round Median(std::vector<Round> rounds) {
  const auto middle = [&rounds](double Round::*field) {
    std::sort(
        rounds.begin(), rounds.end(),
        [&](const Round& a, const Round& b) { return a.*field < b.*field; });
    return rounds[rounds.size() / 2].*field;
  };
  return {middle(&Round::open_ms), middle(&Round::per_second)};
}

absl::Status Compare(const std::string& path, int count) {
  SAM3_ASSIGN_OR_RETURN(const auto zygote, DecoderZygote::Start());
  const InProcessVideoOpener in_process;
  std::vector<Round> here;
  std::vector<Round> apart;
  for (int i = 0; i < count; ++i) {
    SAM3_ASSIGN_OR_RETURN(here.emplace_back(), Decode(in_process, path));
    SAM3_ASSIGN_OR_RETURN(apart.emplace_back(), Decode(*zygote, path));
  }
  const Round a = Median(here);
  const Round b = Median(apart);
  std::printf("in this process  %7.1f pictures/s  opened in %6.2f ms\n",
              a.per_second, a.open_ms);
  std::printf("in its own       %7.1f pictures/s  opened in %6.2f ms\n",
              b.per_second, b.open_ms);
  std::printf("ratio            %7.3f\n", b.per_second / a.per_second);
  return absl::OkStatus();
}

}  // namespace
}  // namespace sam3

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: decoder_process VIDEO [ROUNDS]\n", stderr);
    return 2;
  }
  const absl::Status status =
      sam3::Compare(argv[1], argc > 2 ? std::max(1, std::atoi(argv[2])) : 5);
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
