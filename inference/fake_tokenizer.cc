#include "inference/fake_tokenizer.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "inference/clip_text.h"

namespace sam3 {
namespace {

constexpr int32_t kBeginId = 49406;
constexpr int32_t kEndId = 49407;

class FakeTokenizer final : public Tokenizer {
 public:
  FakeTokenizer() {
    begin_id_ = kBeginId;
    end_id_ = kEndId;
  }

  absl::StatusOr<std::vector<int32_t>> Encode(
      absl::string_view text) const override {
    absl::StatusOr<std::string> normalized = NormalizeClipText(text);
    if (!normalized.ok()) return normalized.status();
    std::vector<int32_t> ids;
    for (const absl::string_view word :
         absl::StrSplit(*normalized, ' ', absl::SkipEmpty())) {
      ids.push_back(FakeTokenId(word));
    }
    return ids;
  }

  std::vector<std::string> Words(absl::Span<const int32_t> ids) const override {
    std::vector<std::string> words;
    for (const int32_t id : ids) words.push_back(absl::StrCat("#", id));
    return words;
  }
};

}  // namespace

std::unique_ptr<Tokenizer> MakeFakeTokenizer() {
  return std::make_unique<FakeTokenizer>();
}

int32_t FakeTokenId(absl::string_view word) {
  uint32_t hash = 2166136261u;
  for (const char c : word) {
    hash = (hash ^ static_cast<uint8_t>(absl::ascii_tolower(c))) * 16777619u;
  }
  return static_cast<int32_t>(hash % kBeginId);
}

}  // namespace sam3
