#pragma once

#include <algorithm>
#include <vector>

#include "inference/association/bit_mask.h"

namespace sam3::test {

// Masks that are stretches of a row of pixels, so that overlaps are easy
// fractions.
inline constexpr int kStripePixels = 400;

using Logits = std::vector<float>;

// `inside` from `begin` to before `end`, -1 elsewhere.
inline Logits Stripe(int begin, int end, float inside = 1) {
  Logits logits(kStripePixels, -1.0f);
  std::fill(logits.begin() + begin, logits.begin() + end, inside);
  return logits;
}

inline PromptedMask StripeMask(int begin, int end, int prompt = 0) {
  return {prompt, BitMask::FromLogits(Stripe(begin, end))};
}

}  // namespace sam3::test
