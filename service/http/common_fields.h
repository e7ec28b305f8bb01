#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "service/http/json_reader.h"

namespace sam3 {

// Fields that requests of several routes have. Pure; any thread.

// v1's model_id for `model_id`: empty for the public server's names of the base
// model, which start with "sam3/". UNIMPLEMENTED for the name of a model that
// somebody else trained.
absl::StatusOr<std::string> ReadModelId(const JsonFields& body);

// `id` as v1's request_id; empty where v1 would not take it.
std::string ReadRequestId(const JsonFields& body);

}  // namespace sam3
