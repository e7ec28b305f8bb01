#include "inference/tokenizer.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <queue>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "inference/base/status_macros.h"
#include "inference/clip_text.h"
#include "nlohmann/json.hpp"

namespace sam3 {
namespace {

using Json = nlohmann::json;

constexpr absl::string_view kBegin = "<|startoftext|>";
constexpr absl::string_view kEnd = "<|endoftext|>";
constexpr absl::string_view kWordEnd = "</w>";

// Byte-level BPE spells every byte as one printable character: printable
// Latin-1 bytes as themselves, the others as U+0100 and up.
std::array<std::string, 256> ByteAlphabet() {
  std::array<std::string, 256> alphabet;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') ||
                           (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const int code = printable ? byte : next++;
    if (code < 0x80) {
      alphabet[byte] = std::string(1, static_cast<char>(code));
    } else {
      alphabet[byte] = {static_cast<char>(0xC0 | (code >> 6)),
                        static_cast<char>(0x80 | (code & 0x3F))};
    }
  }
  return alphabet;
}

struct Merge {
  int rank = 0;
  int32_t result = 0;
};

class ClipTokenizer final : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Create(
      absl::flat_hash_map<std::string, int32_t> vocabulary,
      const std::vector<std::pair<std::string, std::string>>& merges) {
    auto tokenizer = std::make_unique<ClipTokenizer>();
    const auto begin = vocabulary.find(kBegin);
    const auto end = vocabulary.find(kEnd);
    if (begin == vocabulary.end() || end == vocabulary.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the vocabulary lacks ", kBegin, " or ", kEnd));
    }
    tokenizer->begin_id_ = begin->second;
    tokenizer->end_id_ = end->second;
    const auto id = [&](absl::string_view token) {
      const auto found = vocabulary.find(token);
      // As in the reference, what the vocabulary lacks is the end token.
      return found == vocabulary.end() ? tokenizer->end_id_ : found->second;
    };
    const std::array<std::string, 256> alphabet = ByteAlphabet();
    for (int byte = 0; byte < 256; ++byte) {
      tokenizer->inner_[byte] = id(alphabet[byte]);
      tokenizer->last_[byte] = id(absl::StrCat(alphabet[byte], kWordEnd));
      tokenizer->byte_of_[alphabet[byte]] = static_cast<char>(byte);
    }
    int rank = 0;
    for (const auto& [left, right] : merges) {
      const auto a = vocabulary.find(left);
      const auto b = vocabulary.find(right);
      const auto both = vocabulary.find(absl::StrCat(left, right));
      if (a == vocabulary.end() || b == vocabulary.end() ||
          both == vocabulary.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("the merge \"", left, " ", right,
                         "\" uses tokens that the vocabulary lacks"));
      }
      tokenizer->merges_.try_emplace({a->second, b->second},
                                     Merge{rank++, both->second});
    }
    for (auto& [token, token_id] : vocabulary) {
      tokenizer->tokens_.emplace(token_id, token);
    }
    return std::unique_ptr<Tokenizer>(std::move(tokenizer));
  }

  absl::StatusOr<std::vector<int32_t>> Encode(
      absl::string_view text) const override {
    std::vector<int32_t> ids;
    // The two special tokens are recognised in the raw text.
    while (true) {
      const size_t begin = text.find(kBegin);
      const size_t end = text.find(kEnd);
      const size_t next = std::min(begin, end);
      SAM3_RETURN_IF_ERROR(EncodePlain(text.substr(0, next), &ids));
      if (next == absl::string_view::npos) return ids;
      ids.push_back(begin < end ? begin_id_ : end_id_);
      text.remove_prefix(next + (begin < end ? kBegin : kEnd).size());
    }
  }

  std::vector<std::string> Words(absl::Span<const int32_t> ids) const override {
    std::vector<std::string> words;
    for (const int32_t id : ids) words.push_back(Spell(id));
    return words;
  }

 private:
  absl::Status EncodePlain(absl::string_view text,
                           std::vector<int32_t>* ids) const {
    SAM3_ASSIGN_OR_RETURN(const std::string normalized,
                          NormalizeClipText(text));
    for (const std::string& word : SplitClipWords(normalized)) {
      AppendWord(word, ids);
    }
    return absl::OkStatus();
  }

  // Merges the lowest-ranked neighbouring pair, leftmost first, until none is
  // left. Pairs wait in a heap and tokens in a linked list, so that a hostile
  // megabyte without a space costs no more than its length allows.
  void AppendWord(absl::string_view word, std::vector<int32_t>* ids) const {
    constexpr int kNone = -1;
    struct Node {
      int32_t id;
      int previous;
      int next;
    };
    const int size = static_cast<int>(word.size());
    std::vector<Node> nodes;
    for (int i = 0; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(word[static_cast<size_t>(i)]);
      nodes.push_back({i + 1 == size ? last_[byte] : inner_[byte], i - 1,
                       i + 1 == size ? kNone : i + 1});
    }
    // Rank, position, and the ids that the pair had when it was queued.
    using Candidate = std::tuple<int, int, int32_t, int32_t>;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>
        queue;
    const auto offer = [&](int left) {
      if (left == kNone || nodes[left].next == kNone) return;
      const int32_t a = nodes[left].id;
      const int32_t b = nodes[nodes[left].next].id;
      const auto merge = merges_.find({a, b});
      if (merge != merges_.end()) queue.emplace(merge->second.rank, left, a, b);
    };
    for (int i = 0; i < size; ++i) offer(i);
    constexpr int32_t kGone = -1;
    while (!queue.empty()) {
      const auto [rank, left, a, b] = queue.top();
      queue.pop();
      const int right = nodes[left].next;
      if (nodes[left].id != a || right == kNone || nodes[right].id != b) {
        continue;
      }
      nodes[left].id = merges_.find({a, b})->second.result;
      nodes[left].next = nodes[right].next;
      nodes[right].id = kGone;
      if (nodes[left].next != kNone) nodes[nodes[left].next].previous = left;
      offer(nodes[left].previous);
      offer(left);
    }
    for (int i = size == 0 ? kNone : 0; i != kNone; i = nodes[i].next) {
      ids->push_back(nodes[i].id);
    }
  }

  std::string Spell(int32_t id) const {
    const auto found = tokens_.find(id);
    if (found == tokens_.end()) return "";
    absl::string_view token = found->second;
    if (token == kBegin || token == kEnd) return std::string(token);
    const bool word_end = absl::ConsumeSuffix(&token, kWordEnd);
    std::string text;
    while (!token.empty()) {
      const size_t width = static_cast<uint8_t>(token[0]) < 0x80 ? 1 : 2;
      const auto byte = byte_of_.find(token.substr(0, width));
      if (byte != byte_of_.end()) text.push_back(byte->second);
      token.remove_prefix(std::min(width, token.size()));
    }
    if (word_end) text.push_back(' ');
    return text;
  }

  std::array<int32_t, 256> inner_{};
  std::array<int32_t, 256> last_{};
  absl::flat_hash_map<std::pair<int32_t, int32_t>, Merge> merges_;
  absl::flat_hash_map<int32_t, std::string> tokens_;
  absl::flat_hash_map<std::string, char> byte_of_;
};

absl::StatusOr<absl::flat_hash_map<std::string, int32_t>> ReadVocabulary(
    const Json& object) {
  if (!object.is_object() || object.empty()) {
    return absl::InvalidArgumentError(
        "the vocabulary is not a JSON object of token: id");
  }
  absl::flat_hash_map<std::string, int32_t> vocabulary;
  for (const auto& [token, id] : object.items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
        id.get<int64_t>() > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the vocabulary's id of \"", token, "\" is no id"));
    }
    vocabulary.emplace(token, id.get<int32_t>());
  }
  return vocabulary;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat(path, ": cannot open"));
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromTokenizerJson(
    absl::string_view text) {
  const Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  const Json* model = nullptr;
  if (document.is_object() && document.contains("model")) {
    model = &document["model"];
  }
  if (model == nullptr || !model->is_object() || !model->contains("vocab") ||
      !model->contains("merges") || !(*model)["merges"].is_array()) {
    return absl::InvalidArgumentError(
        "tokenizer.json has no model.vocab and model.merges");
  }
  SAM3_ASSIGN_OR_RETURN(auto vocabulary, ReadVocabulary((*model)["vocab"]));
  std::vector<std::pair<std::string, std::string>> merges;
  for (const Json& entry : (*model)["merges"]) {
    if (entry.is_string()) {
      merges.push_back(
          absl::StrSplit(entry.get<std::string>(), absl::MaxSplits(' ', 1)));
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
               entry[1].is_string()) {
      merges.emplace_back(entry[0].get<std::string>(),
                          entry[1].get<std::string>());
    } else {
      return absl::InvalidArgumentError("tokenizer.json has a malformed merge");
    }
  }
  return ClipTokenizer::Create(std::move(vocabulary), merges);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromFiles(
    absl::string_view vocab_json, absl::string_view merges_txt) {
  SAM3_ASSIGN_OR_RETURN(
      auto vocabulary,
      ReadVocabulary(
          Json::parse(vocab_json.begin(), vocab_json.end(), nullptr, false)));
  std::vector<std::pair<std::string, std::string>> merges;
  for (absl::string_view line : absl::StrSplit(merges_txt, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    std::pair<std::string, std::string> merge =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    if (merge.second.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("merges.txt: \"", line, "\" is no pair of tokens"));
    }
    merges.push_back(std::move(merge));
  }
  return ClipTokenizer::Create(std::move(vocabulary), merges);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromFolder(
    const std::string& folder) {
  const absl::StatusOr<std::string> vocab = ReadFile(folder + "/vocab.json");
  const absl::StatusOr<std::string> merges = ReadFile(folder + "/merges.txt");
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer;
  if (vocab.ok() && merges.ok()) {
    tokenizer = FromFiles(*vocab, *merges);
  } else {
    const absl::StatusOr<std::string> json =
        ReadFile(folder + "/tokenizer.json");
    if (!json.ok()) {
      return absl::NotFoundError(
          absl::StrCat(folder, ": neither vocab.json with merges.txt nor ",
                       "tokenizer.json is there"));
    }
    tokenizer = FromTokenizerJson(*json);
  }
  if (!tokenizer.ok()) {
    return absl::Status(
        tokenizer.status().code(),
        absl::StrCat(folder, ": ", tokenizer.status().message()));
  }
  return tokenizer;
}

absl::StatusOr<TokenizedText> Tokenizer::Tokenize(
    absl::string_view text) const {
  SAM3_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, Encode(text));
  constexpr size_t kMaxWords = kTextContextLength - 2;
  TokenizedText result;
  result.ids.fill(end_id_);
  result.ids[0] = begin_id_;
  const size_t kept = std::min(ids.size(), kMaxWords);
  std::copy_n(ids.begin(), kept, result.ids.begin() + 1);
  result.length = static_cast<int>(kept) + 2;
  result.truncated = ids.size() > kMaxWords;
  return result;
}

}  // namespace sam3
