// Times the codec on masks that mask_codec.py sends: their number and sizes are
// arguments, the logits come on standard input, then a byte for every round.
// Answers seconds and total bytes of the COCO strings.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "absl/time/clock.h"
#include "pipeline/mask_codec.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto count = static_cast<size_t>(std::atoi(argv[1]));
  const int side = std::atoi(argv[2]);
  const int width = std::atoi(argv[3]);
  const int height = std::atoi(argv[4]);
  std::vector<sam3::LowResMask> masks(count);
  for (sam3::LowResMask& mask : masks) {
    mask.width = side;
    mask.height = side;
    mask.threshold = 0;
    mask.values.resize(static_cast<size_t>(side) * side);
    std::cin.read(
        reinterpret_cast<char*>(mask.values.data()),
        static_cast<std::streamsize>(mask.values.size() * sizeof(float)));
  }
  for (char round = 0; std::cin.read(&round, 1);) {
    size_t bytes = 0;
    const absl::Time start = absl::Now();
    for (const sam3::LowResMask& mask : masks) {
      const sam3::MaskRuns runs = sam3::RunsFromLowRes(mask, width, height);
      bytes += sam3::CocoCountsFromRuns(runs.counts).size();
    }
    std::printf("%.6f %zu\n", absl::ToDoubleSeconds(absl::Now() - start),
                bytes);
    std::fflush(stdout);
  }
  return 0;
}
