#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sam3/v1/stream.pb.h"

namespace sam3 {

// --object: clicks and boxes on the first frame of a video, each with the
// number of its object, as in "1:320,200", "1:300,90:neg" or "2:10,20,64,48".
// The texts go to `objects`.
void AddObjectFlags(CLI::App* app, std::vector<std::string>* objects);

// One object per number, in the order of their first mention. INVALID_ARGUMENT
// tells what cannot be read.
absl::StatusOr<std::vector<v1::GivenObject>> MakeGivenObjects(
    const std::vector<std::string>& objects);

}  // namespace sam3
