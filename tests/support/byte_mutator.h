#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace sam3 {

// Damages bytes as a fuzzer does, but in the same ways on every run. Not
// thread-safe; never blocks.
class ByteMutator {
 public:
  // `words` are pieces of the format, which are put where they do not belong.
  ByteMutator(uint32_t seed, std::vector<std::string> words);

  // One to four edits; seldom more than a few hundred bytes are added.
  std::string Mutate(std::string bytes);

  // A number below `limit`, which must be above 0.
  size_t Below(size_t limit) { return random_() % limit; }

  // Cuts `bytes` into pieces of 1 to `max_bytes`.
  std::vector<std::string> Cut(const std::string& bytes, size_t max_bytes);

 private:
  void Edit(std::string* bytes);
  // Another number in place of one that stands there.
  void ReplaceNumber(std::string* bytes);

  const std::vector<std::string> words_;
  std::mt19937 random_;
};

// Turns every bit around with some probability.
void FlipBits(double probability, std::mt19937* random, std::string* bytes);

}  // namespace sam3
