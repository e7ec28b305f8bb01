#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct XXH3_state_s;

namespace sam3 {

// A fast 128-bit digest of bytes (XXH3), for telling models apart. Not
// cryptographic: it does not withstand somebody who wants two models to look
// alike. Not thread-safe.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  void Add(absl::string_view bytes);
  // 32 hexadecimal digits over everything added so far.
  std::string Hex() const;

 private:
  struct Deleter {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Deleter> state_;
};

}  // namespace sam3
