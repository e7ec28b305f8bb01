// Reads texts from standard input, each as an int32 length and its bytes, and
// prints their token ids, one text a line; for tokenizer_oracle.py.
#include <cstdint>
#include <iostream>
#include <string>

#include "absl/strings/str_join.h"
#include "inference/demo_model/embedded_model.h"
#include "inference/tokenizer.h"

int main() {
  const sam3::EmbeddedModel demo = sam3::GetEmbeddedDemoModel();
  const auto tokenizer =
      sam3::Tokenizer::FromFiles(demo.vocab_json, demo.merges_txt);
  int32_t length = 0;
  while (std::cin.read(reinterpret_cast<char*>(&length), sizeof(length))) {
    std::string text(static_cast<size_t>(length), '\0');
    std::cin.read(text.data(), length);
    const auto ids = (*tokenizer)->Encode(text);
    std::cout << (ids.ok() ? absl::StrJoin(*ids, " ") : "error") << "\n";
  }
  return 0;
}
