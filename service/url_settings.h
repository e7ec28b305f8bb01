#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "pipeline/segmenter_factory.h"
#include "sam3/config/v1/server_config.pb.h"

namespace sam3 {

// The part of the configuration that says which URLs the server may fetch
// pictures and streams from. Pure but for ReadUrlConfig(), which looks at the
// CA file.

void AddUrlFlags(CLI::App* app, config::v1::UrlConfig* config);

// Everything that is wrong; `out` gets the rest.
std::vector<std::string> ReadUrlConfig(const config::v1::UrlConfig& config,
                                       SegmenterOptions* out);

config::v1::UrlConfig WriteUrlConfig(const SegmenterOptions& options);

}  // namespace sam3
