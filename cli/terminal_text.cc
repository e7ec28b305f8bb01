#include "cli/terminal_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

constexpr absl::string_view kCut = "\u2026";

struct Range {
  uint32_t first;
  uint32_t last;
};
// Scripts whose characters are two columns wide, and pictographs.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
// What is put on the character before, or is not seen.
constexpr Range kNarrow[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
// Controls, and what turns the direction of writing around.
constexpr Range kUnsafe[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x061c, 0x061c}, {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xd800, 0xdfff}, {0xfeff, 0xfeff}};

template <size_t kCount>
bool IsIn(const Range (&ranges)[kCount], uint32_t character) {
  return std::any_of(
      std::begin(ranges), std::end(ranges), [character](const Range& range) {
        return range.first <= character && character <= range.last;
      });
}

struct Character {
  absl::string_view bytes;
  int columns = 1;
};

// Takes the first character off `text`, which is not empty.
Character TakeCharacter(absl::string_view* text) {
  const auto lead = static_cast<uint8_t>(text->front());
  const size_t size = lead < 0x80             ? 1
                      : (lead & 0xe0) == 0xc0 ? 2
                      : (lead & 0xf0) == 0xe0 ? 3
                      : (lead & 0xf8) == 0xf0 ? 4
                                              : 0;
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  uint32_t character = size < 2 ? lead : lead & (0x7fu >> size);
  bool good = size > 0 && size <= text->size();
  for (size_t i = 1; good && i < size; ++i) {
    const auto byte = static_cast<uint8_t>((*text)[i]);
    good = (byte & 0xc0) == 0x80;
    character = character << 6 | (byte & 0x3fu);
  }
  if (!good || character < kLeast[size] || character > 0x10ffff ||
      IsIn(kUnsafe, character)) {
    text->remove_prefix(good ? size : 1);
    return {"?", 1};
  }
  const absl::string_view bytes = text->substr(0, size);
  text->remove_prefix(size);
  if (IsIn(kNarrow, character)) return {bytes, 0};
  return {bytes, IsIn(kWide, character) ? 2 : 1};
}

std::string Fit(absl::string_view text, int columns, int* used) {
  std::string out;
  // Where the mark could stand, if more comes than there is room for.
  size_t cut_at = 0;
  int cut_columns = 0;
  *used = 0;
  while (!text.empty()) {
    const Character next = TakeCharacter(&text);
    if (*used + next.columns > columns) {
      out.resize(cut_at);
      *used = cut_columns;
      if (columns < 1) return out;
      ++*used;
      return out.append(kCut.data(), kCut.size());
    }
    absl::StrAppend(&out, next.bytes);
    *used += next.columns;
    if (*used < columns) {
      cut_at = out.size();
      cut_columns = *used;
    }
  }
  return out;
}

}  // namespace

std::string FitColumns(absl::string_view text, int columns) {
  int used = 0;
  return Fit(text, columns, &used);
}

std::string PadColumns(absl::string_view text, int columns) {
  int used = 0;
  std::string out = Fit(text, columns, &used);
  return out.append(static_cast<size_t>(std::max(0, columns - used)), ' ');
}

}  // namespace sam3
