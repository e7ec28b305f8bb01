#include "service/embedded_files.h"

extern "C" {
extern const char sam3_openapi_begin[];
extern const char sam3_openapi_end[];
extern const char sam3_concept_aliases_begin[];
extern const char sam3_concept_aliases_end[];
}

namespace sam3 {

absl::string_view OpenApiDocument() {
  return {sam3_openapi_begin,
          static_cast<size_t>(sam3_openapi_end - sam3_openapi_begin)};
}

absl::string_view BuiltInConceptAliases() {
  return {sam3_concept_aliases_begin,
          static_cast<size_t>(sam3_concept_aliases_end -
                              sam3_concept_aliases_begin)};
}

}  // namespace sam3
