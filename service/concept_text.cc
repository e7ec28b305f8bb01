#include "service/concept_text.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

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

ConceptText ReadConceptText(absl::string_view text, bool allow_truncation,
                            int max_bytes, const Tokenizer& tokenizer,
                            const ConceptAliases* aliases) {
  ConceptText out;
  if (text.size() > static_cast<size_t>(max_bytes)) {
    out.violation = absl::StrCat("has ", text.size(), " bytes; at most ",
                                 max_bytes, " are allowed");
    return out;
  }
  std::optional<std::string> english;
  if (aliases != nullptr) english = aliases->Find(text);
  if (english.has_value()) {
    text = *english;
    out.warnings.push_back(absl::StrCat("was read as \"", text, "\""));
  }
  const absl::StatusOr<TokenizedText> tokens = tokenizer.Tokenize(text);
  if (!tokens.ok()) {
    out.violation = std::string(tokens.status().message());
  } else if (tokens->length <= 2) {
    out.violation = "has no words";
  } else if (tokens->truncated && !allow_truncation) {
    out.violation = absl::StrCat("has more than ", kTextContextLength,
                                 " tokens; shorten it or set allow_truncation");
  }
  if (!out.violation.empty()) return out;
  out.tokens = *tokens;
  if (tokens->truncated) {
    out.warnings.push_back(
        absl::StrCat("was cut to ", kTextContextLength, " tokens"));
  }
  for (const std::string& word : UnknownWords(*tokens, tokenizer)) {
    out.warnings.push_back(absl::StrCat("SAM 3 hardly knows \"", word,
                                        "\"; it understands English best"));
  }
  return out;
}

}  // namespace sam3
