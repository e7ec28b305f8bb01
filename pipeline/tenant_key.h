#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sam3 {

// The key of `name` in a cache that tenants share. The length in front keeps
// them apart whatever characters they contain.
inline std::string TenantKey(absl::string_view tenant, absl::string_view name) {
  return absl::StrCat(tenant.size(), ":", tenant, name);
}

}  // namespace sam3
