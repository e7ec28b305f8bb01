#include "service/unknown_words.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace sam3 {
namespace {

constexpr size_t kPiecesOfAnUnknownWord = 4;

// UTF-8's first bytes of U+0370 and beyond, where Latin letters end and Greek
// ones begin.
bool HasOtherLetters(const std::string& word) {
  return std::any_of(word.begin(), word.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0xCD;
  });
}

}  // namespace

std::vector<std::string> UnknownWords(const TokenizedText& tokens,
                                      const Tokenizer& tokenizer) {
  std::vector<std::string> unknown;
  std::string word;
  size_t count = 0;
  for (const std::string& piece : tokenizer.Words(absl::MakeConstSpan(
           tokens.ids.data() + 1, static_cast<size_t>(tokens.length - 2)))) {
    word += piece;
    ++count;
    if (piece.empty() || piece.back() != ' ') continue;
    if (count >= kPiecesOfAnUnknownWord || HasOtherLetters(word)) {
      unknown.emplace_back(absl::StripAsciiWhitespace(word));
    }
    word.clear();
    count = 0;
  }
  return unknown;
}

}  // namespace sam3
