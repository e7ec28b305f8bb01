#include "tests/support/byte_mutator.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sam3 {

ByteMutator::ByteMutator(uint32_t seed, std::vector<std::string> words)
    : words_(std::move(words)), random_(seed) {}

std::string ByteMutator::Mutate(std::string bytes) {
  for (size_t edits = 1 + Below(4); edits > 0; --edits) Edit(&bytes);
  return bytes;
}

std::vector<std::string> ByteMutator::Cut(const std::string& bytes,
                                          size_t max_bytes) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < bytes.size(); at += pieces.back().size()) {
    pieces.push_back(bytes.substr(at, 1 + Below(max_bytes)));
  }
  return pieces;
}

void ByteMutator::Edit(std::string* bytes) {
  const size_t at = Below(bytes->size() + 1);
  if (at == bytes->size()) {
    *bytes += static_cast<char>(random_());
    return;
  }
  switch (Below(9)) {
    case 0:
      (*bytes)[at] = static_cast<char>(random_());
      break;
    case 1:
      (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << Below(8)));
      break;
    case 2:
      bytes->erase(at, 1 + Below(20));
      break;
    case 3:
      bytes->resize(at);
      break;
    case 4: {
      const size_t from = Below(bytes->size());
      bytes->insert(at, bytes->substr(from, 1 + Below(60)));
      break;
    }
    case 5:
      bytes->insert(at, 1 + Below(100), (*bytes)[at]);
      break;
    case 6:
      ReplaceNumber(bytes);
      break;
    default:
      if (!words_.empty()) bytes->insert(at, words_[Below(words_.size())]);
  }
}

void ByteMutator::ReplaceNumber(std::string* bytes) {
  const std::string numbers[] = {
      "0",          "1",   "-1",   "007",  "4294967296", "9223372036854775807",
      "2147483648", "nan", "1e30", "0x10", "",           std::string(40, '9')};
  constexpr char kDigits[] = "0123456789";
  const size_t begin = bytes->find_first_of(kDigits, Below(bytes->size()));
  if (begin == std::string::npos) return;
  const size_t end = bytes->find_first_not_of(kDigits, begin);
  bytes->replace(begin, std::min(end, bytes->size()) - begin,
                 numbers[Below(std::size(numbers))]);
}

void FlipBits(double probability, std::mt19937* random, std::string* bytes) {
  std::bernoulli_distribution wrong(probability);
  for (char& byte : *bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      if (wrong(*random)) byte = static_cast<char>(byte ^ (1 << bit));
    }
  }
}

}  // namespace sam3
