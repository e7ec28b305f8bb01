#include "inference/association/bit_mask.h"

#include <algorithm>
#include <bit>

namespace sam3 {
namespace {

constexpr size_t kBits = 64;

}  // namespace

BitMask BitMask::FromLogits(absl::Span<const float> logits) {
  BitMask mask;
  mask.words_.resize((logits.size() + kBits - 1) / kBits);
  for (size_t word = 0; word < mask.words_.size(); ++word) {
    const size_t begin = word * kBits;
    const size_t count = std::min(kBits, logits.size() - begin);
    uint64_t bits = 0;
    for (size_t bit = 0; bit < count; ++bit) {
      bits |= static_cast<uint64_t>(logits[begin + bit] > 0) << bit;
    }
    if (bits == 0) continue;
    if (mask.area_ == 0) mask.begin_word_ = word;
    mask.end_word_ = word + 1;
    mask.area_ += std::popcount(bits);
    mask.words_[word] = bits;
  }
  return mask;
}

int64_t Intersection(const BitMask& a, const BitMask& b) {
  const size_t begin = std::max(a.begin_word(), b.begin_word());
  const size_t end = std::min(a.end_word(), b.end_word());
  int64_t common = 0;
  for (size_t word = begin; word < end; ++word) {
    common += std::popcount(a.words()[word] & b.words()[word]);
  }
  return common;
}

float Overlap(const BitMask& a, const BitMask& b) {
  const int64_t common = Intersection(a, b);
  const int64_t either = a.area() + b.area() - common;
  return static_cast<float>(common) /
         static_cast<float>(std::max<int64_t>(either, 1));
}

OverlapMatrix Overlaps(absl::Span<const PromptedMask> rows,
                       absl::Span<const PromptedMask> columns) {
  OverlapMatrix matrix{columns.size(), {}};
  matrix.values.reserve(rows.size() * columns.size());
  for (const PromptedMask& row : rows) {
    for (const PromptedMask& column : columns) {
      matrix.values.push_back(
          row.prompt == column.prompt ? Overlap(row.mask, column.mask) : 0);
    }
  }
  return matrix;
}

}  // namespace sam3
