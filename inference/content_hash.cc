#include "inference/content_hash.h"

#include <xxhash.h>

#include "absl/strings/str_format.h"

namespace sam3 {

ContentHash::ContentHash() : state_(XXH3_createState()) {
  XXH3_128bits_reset(state_.get());
}

ContentHash::~ContentHash() = default;

void ContentHash::Deleter::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

void ContentHash::Add(absl::string_view bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string ContentHash::Hex() const {
  const XXH128_hash_t digest = XXH3_128bits_digest(state_.get());
  return absl::StrFormat("%016x%016x", digest.high64, digest.low64);
}

}  // namespace sam3
