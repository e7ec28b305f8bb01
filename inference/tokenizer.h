#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/prompt.h"

namespace sam3 {

// CLIP's byte-pair encoding, equal to Hugging Face's CLIPTokenizerFast on the
// same vocabulary: NFC, white space collapsed, lower case, byte-level merges.
//
// Immutable after creation; safe from any thread; never blocks.
class Tokenizer {
 public:
  // Contents (not paths) of vocab.json and merges.txt. INVALID_ARGUMENT names
  // what is wrong with which.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromFiles(
      absl::string_view vocab_json, absl::string_view merges_txt);

  // Reads vocab.json and merges.txt, or else tokenizer.json, from a folder.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromFolder(
      const std::string& folder);

  virtual ~Tokenizer() = default;

  // Ids of the whole text without begin and end tokens, however many.
  // INVALID_ARGUMENT when `text` is not UTF-8.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(
      absl::string_view text) const = 0;

  // The words that ids stand for, "</w>" turned into a space; for people.
  virtual std::vector<std::string> Words(
      absl::Span<const int32_t> ids) const = 0;

  // Encode() framed for the text encoder: begin, at most 30 tokens, end,
  // padding. A longer text is cut and marked `truncated`; whether that is
  // acceptable is the caller's decision.
  absl::StatusOr<TokenizedText> Tokenize(absl::string_view text) const;

 protected:
  int32_t begin_id_ = 0;
  int32_t end_id_ = 0;
};

}  // namespace sam3
