#include "inference/demo_model/embedded_model.h"

extern "C" {
extern const char sam3_demo_config_begin[];
extern const char sam3_demo_config_end[];
extern const char sam3_demo_vocab_begin[];
extern const char sam3_demo_vocab_end[];
extern const char sam3_demo_merges_begin[];
extern const char sam3_demo_merges_end[];
extern const char sam3_demo_weights_begin[];
extern const char sam3_demo_weights_end[];
}

namespace sam3 {
namespace {

absl::string_view Between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

EmbeddedModel GetEmbeddedDemoModel() {
  return {Between(sam3_demo_config_begin, sam3_demo_config_end),
          Between(sam3_demo_vocab_begin, sam3_demo_vocab_end),
          Between(sam3_demo_merges_begin, sam3_demo_merges_end),
          Between(sam3_demo_weights_begin, sam3_demo_weights_end)};
}

}  // namespace sam3
