#pragma once

#include <memory>

#include "inference/tokenizer.h"

namespace sam3 {

// The fake engine's tokenizer: every white-space separated word is one token,
// whose id is a hash of its lower-case letters. Immutable; safe from any
// thread.
std::unique_ptr<Tokenizer> MakeFakeTokenizer();

// The id that the fake tokenizer gives to one word.
int32_t FakeTokenId(absl::string_view word);

}  // namespace sam3
