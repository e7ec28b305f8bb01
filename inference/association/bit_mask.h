#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sam3 {

// A binary mask as bits, sixty-four pixels a word, row after row without
// padding. Counts are 64-bit integers, which no mask overflows. A value; any
// thread may read; nothing blocks.
class BitMask {
 public:
  // No pixel is inside.
  BitMask() = default;

  // Inside where the logit is greater than 0; not where it is NaN.
  static BitMask FromLogits(absl::Span<const float> logits);

  // Pixels inside.
  int64_t area() const { return area_; }
  bool empty() const { return area_ == 0; }

  // Pixel i is bit i % 64 of word i / 64. Bits before and behind the words
  // from begin_word() to end_word() are clear; without an inside the two are
  // equal.
  absl::Span<const uint64_t> words() const { return words_; }
  size_t begin_word() const { return begin_word_; }
  size_t end_word() const { return end_word_; }

 private:
  std::vector<uint64_t> words_;
  size_t begin_word_ = 0;
  size_t end_word_ = 0;
  int64_t area_ = 0;
};

// A mask, and the prompt whose object it is: masks of different prompts never
// compete.
struct PromptedMask {
  int prompt = 0;
  BitMask mask;
};

// Pixels inside both masks, which must be of one size unless one is empty.
int64_t Intersection(const BitMask& a, const BitMask& b);

// Intersection over union, the union counted as 1 when it is 0: two empty masks
// do not overlap. Rounded to fp32 once, as the reference divides.
float Overlap(const BitMask& a, const BitMask& b);

// Overlaps of every row's mask with every column's.
struct OverlapMatrix {
  size_t columns = 0;
  std::vector<float> values;  // row-major

  float at(size_t row, size_t column) const {
    return values[row * columns + column];
  }
};

// Zero where the prompts differ.
OverlapMatrix Overlaps(absl::Span<const PromptedMask> rows,
                       absl::Span<const PromptedMask> columns);

}  // namespace sam3
