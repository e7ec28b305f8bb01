#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/engine_factory.h"
#include "pipeline/segmenter_factory.h"
#include "service/http/http_door.h"
#include "service/server.h"

namespace sam3 {

// What the command line and the configuration file say, checked as a whole.
struct ServerSettings {
  EngineOptions engine;
  SegmenterOptions segmenter;
  Server::Options server;
  std::string health_address = "127.0.0.1:50052";
  std::string metrics_address = "127.0.0.1:9090";
  HttpDoor::Options http;
  bool http_plaintext = false;
  // Empty: the built-in table alone.
  std::string aliases_file;
  absl::Duration drain_timeout = absl::Seconds(30);
  // Between NOT_SERVING and the drain.
  absl::Duration lame_duck;
  // Empty: calls need no key.
  std::string keys_file;
  // Empty: resume tokens are this process's alone.
  std::string resume_secret_file;
  bool insecure_no_auth = false;
  bool plaintext = false;
  bool decode_in_process = false;
  bool json_logs = false;
  bool check_only = false;
  bool print_only = false;
};

// What parsing came to: settings, or a text to print and an exit status (for
// --help and --version 0, for mistakes 1).
struct ParsedSettings {
  ServerSettings settings;
  bool run = false;
  int exit_status = 0;
  std::string text;
};

// Reads flags and, with --config, a text-format sam3.config.v1.ServerConfig
// that the flags override. Every violation is told at once. Reads the files
// that are named; starts nothing.
ParsedSettings ParseServerSettings(int argc, const char* const* argv);

// The settings as a configuration file that gives the same server.
std::string PrintServerSettings(const ServerSettings& settings);

}  // namespace sam3
