#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "inference/prompt.h"
#include "inference/tokenizer.h"

namespace sam3 {

// The words of a tokenized text that the model, which reads English, hardly
// knows: those that fall into many pieces, as misspelt and foreign ones do, and
// those in letters of other scripts. Pure; any thread.
std::vector<std::string> UnknownWords(const TokenizedText& tokens,
                                      const Tokenizer& tokenizer);

}  // namespace sam3
