#pragma once

#include "absl/strings/string_view.h"

namespace sam3 {

// Files that are linked into the program. The bytes live as long as the program
// does; any thread.

// service/http/openapi.json.
absl::string_view OpenApiDocument();

// service/concept_aliases.tsv, see ConceptAliases.
absl::string_view BuiltInConceptAliases();

}  // namespace sam3
