// Reads low-resolution masks from standard input and prints what the codec
// makes of them, for comparison with the reference libraries by
// mask_codec_oracle.py. Input per case: int32 width, height, target width,
// target height; fp32 threshold; fp32 values. Output per case, one JSON line.
#include <cstdint>
#include <iostream>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

std::string Rings(const MaskRuns& runs, bool outer_only) {
  MaskOptions options{.format = MaskFormat::kPolygon, .outer_only = outer_only};
  const auto mask = std::get<PolygonMask>(*EncodeMask(runs, options));
  std::vector<std::string> rings;
  for (const PolygonRing& ring : mask.rings) {
    rings.push_back(absl::StrCat("{\"parent\":", ring.parent, ",\"xy\":[",
                                 absl::StrJoin(ring.xy, ","), "]}"));
  }
  return absl::StrCat("[", absl::StrJoin(rings, ","), "]");
}

bool RunCase() {
  int32_t header[4];
  LowResMask mask;
  if (!std::cin.read(reinterpret_cast<char*>(header), sizeof(header))) {
    return false;
  }
  std::cin.read(reinterpret_cast<char*>(&mask.threshold), sizeof(float));
  mask.width = header[0];
  mask.height = header[1];
  mask.values.resize(static_cast<size_t>(header[0]) * header[1]);
  std::cin.read(
      reinterpret_cast<char*>(mask.values.data()),
      static_cast<std::streamsize>(mask.values.size() * sizeof(float)));
  const MaskRuns runs = RunsFromLowRes(mask, header[2], header[3]);
  const Box box = MaskBox(runs);
  const std::string counts = CocoCountsFromRuns(runs.counts);
  const auto back = RunsFromCoco({runs.width, runs.height, counts});
  const auto png =
      std::get<PngMask>(*EncodeMask(runs, {.format = MaskFormat::kPng}));
  const auto bits =
      std::get<BitsMask>(*EncodeMask(runs, {.format = MaskFormat::kBits}));
  std::cout << "{\"counts\":\"" << absl::Base64Escape(counts)
            << "\",\"round_trip\":"
            << (back.ok() && back->counts == runs.counts ? "true" : "false")
            << ",\"area\":" << MaskArea(runs) << ",\"box\":[" << box.x0 << ","
            << box.y0 << "," << box.x1 << "," << box.y1
            << "],\"rings\":" << Rings(runs, false)
            << ",\"outer\":" << Rings(runs, true) << ",\"png\":\""
            << absl::Base64Escape(png.bytes) << "\",\"bits\":\""
            << absl::Base64Escape(bits.bytes) << "\",\"crop\":[" << bits.crop_x
            << "," << bits.crop_y << "," << bits.crop_width << ","
            << bits.crop_height << "]";
  // The numbers themselves are long: small targets stand for large ones.
  constexpr int64_t kSmall = 30'000;
  if (int64_t{header[2]} * header[3] <= kSmall) {
    std::cout << ",\"logits\":\""
              << absl::Base64Escape(
                     LogitsFromLowRes(mask, header[2], header[3]).bytes)
              << "\"";
  }
  std::cout << "}\n";
  return true;
}

}  // namespace
}  // namespace sam3

int main() {
  while (sam3::RunCase()) {
  }
  return 0;
}
