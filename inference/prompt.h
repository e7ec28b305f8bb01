#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "inference/geometry.h"

namespace sam3 {

// Length of the text encoder's context; every prompt is padded to it.
inline constexpr int kTextContextLength = 32;

// A prompt's text as the model reads it: begin token, words, end token, then
// end tokens as padding.
struct TokenizedText {
  std::array<int32_t, kTextContextLength> ids{};
  // Tokens that count, begin and end included; the attention mask is 1 for
  // exactly these.
  int length = 0;
  // The text had more tokens; `ids` holds the first of them and the end token.
  bool truncated = false;

  bool operator==(const TokenizedText&) const = default;
};

enum class ClickLabel { kNegative, kPositive };

// A point that is on the object, or on something that does not belong to it.
struct Click {
  // Fractions of the picture's width and height.
  float x = 0;
  float y = 0;
  ClickLabel label = ClickLabel::kPositive;

  bool operator==(const Click&) const = default;
};

// What points out one single object.
struct ObjectPrompt {
  std::vector<Click> clicks;
  std::optional<Box> box;  // fractions, as clicks
};

enum class ExemplarLabel { kPositive, kNegative };

// An example box on the same picture: "things like this", or unlike this.
struct Exemplar {
  // Fractions of the picture's width and height, inside [0, 1].
  Box box;
  ExemplarLabel label = ExemplarLabel::kPositive;
};

}  // namespace sam3
