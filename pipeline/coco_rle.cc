#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "pipeline/mask_codec.h"

namespace sam3 {
namespace {

// COCO's code: five bits a character from the low end, bit five set while more
// follow, offset by '0'; from the fourth count on, the difference to the count
// two before.
constexpr char kOffset = 48;

void AppendCount(int64_t value, std::string* text) {
  bool more = true;
  while (more) {
    auto bits = static_cast<char>(value & 0x1F);
    value >>= 5;
    more = (bits & 0x10) != 0 ? value != -1 : value != 0;
    if (more) bits = static_cast<char>(bits | 0x20);
    text->push_back(static_cast<char>(bits + kOffset));
  }
}

}  // namespace

std::string CocoCountsFromRuns(absl::Span<const uint32_t> counts) {
  std::string text;
  for (size_t i = 0; i < counts.size(); ++i) {
    int64_t value = counts[i];
    if (i > 2) value -= counts[i - 2];
    AppendCount(value, &text);
  }
  return text;
}

absl::StatusOr<MaskRuns> RunsFromCoco(const RleMask& rle) {
  MaskRuns runs{rle.width, rle.height, {}};
  const int64_t total = int64_t{rle.width} * rle.height;
  int64_t sum = 0;
  size_t position = 0;
  while (position < rle.counts.size()) {
    int64_t value = 0;
    int shift = 0;
    bool more = true;
    while (more) {
      if (position == rle.counts.size() || shift > 35) {
        return absl::InvalidArgumentError("counts ends inside a number");
      }
      const int character = rle.counts[position++] - kOffset;
      if (character < 0 || character > 63) {
        return absl::InvalidArgumentError(absl::StrCat(
            "counts has a character that is no COCO code at position ",
            position - 1));
      }
      value |= static_cast<int64_t>(character & 0x1F) << shift;
      shift += 5;
      more = (character & 0x20) != 0;
      if (!more && (character & 0x10) != 0) value |= -(int64_t{1} << shift);
    }
    if (runs.counts.size() > 2) value += runs.counts[runs.counts.size() - 2];
    if (value < 0 || sum + value > total) {
      return absl::InvalidArgumentError("counts does not fit the mask's size");
    }
    sum += value;
    runs.counts.push_back(static_cast<uint32_t>(value));
  }
  if (sum != total) {
    return absl::InvalidArgumentError(
        absl::StrCat("counts covers ", sum, " pixels of a mask of ", total));
  }
  return runs;
}

}  // namespace sam3
