#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "inference/prompt.h"
#include "inference/tokenizer.h"
#include "service/concept_aliases.h"

namespace sam3 {

// A concept's text as the model gets it.
struct ConceptText {
  TokenizedText tokens;
  // Empty when the text may be used as it is.
  std::string violation;
  // What it is read as instead, and what is hardly understood of it.
  std::vector<std::string> warnings;
};

// Reads `text`, or the English that `aliases` (may be null) has for it. Pure;
// any thread.
ConceptText ReadConceptText(absl::string_view text, bool allow_truncation,
                            int max_bytes, const Tokenizer& tokenizer,
                            const ConceptAliases* aliases);

// The words of a tokenized text that the model, which reads English, hardly
// knows: those that fall into many pieces, as misspelt and foreign ones do, and
// those in letters of other scripts. Pure; any thread.
std::vector<std::string> UnknownWords(const TokenizedText& tokens,
                                      const Tokenizer& tokenizer);

}  // namespace sam3
