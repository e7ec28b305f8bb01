#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/keys/key_file.h"

namespace sam3 {

// Changes the keys of a file, or makes the file (mode 0600) when there is none.
// Readers see the old or the new one, whole, also after a power cut; two edits
// at a time come one after the other. A file that is malformed stays as it is
// and is an error that says where. `change` may refuse with a status.
//
// Blocks on the disk and on other edits. INVALID_ARGUMENT, NOT_FOUND, what
// `change` returns, UNAVAILABLE with the system's reason.
absl::Status EditKeyFile(
    const std::string& path,
    const std::function<absl::Status(std::vector<KeyRecord>*)>& change);

}  // namespace sam3
