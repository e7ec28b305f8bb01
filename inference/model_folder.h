#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace sam3 {

// Looks at a folder before anything of it is loaded: OK when it has a
// config.json for SAM 3, safetensors weights with every shard, and a
// vocabulary. Otherwise one line that says what the folder is instead and what
// to do: NOT_FOUND for what is not there, INVALID_ARGUMENT for what is
// something else.
//
// Reads the folder's listing, two small files and the first bytes of the
// weights; any thread.
absl::Status CheckModelFolder(const std::string& folder);

// Bytes of all safetensors files in a folder; 0 when there are none.
int64_t WeightFileBytes(const std::string& folder);

}  // namespace sam3
