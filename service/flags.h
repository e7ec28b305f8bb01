#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "sam3/config/v1/server_config.pb.h"

namespace sam3 {

// What the command line says, before it is laid over the configuration file.
struct Flags {
  std::string config_file;
  config::v1::ServerConfig config;
  bool fake_engine = false;
  std::string log_format = "text";
  bool check_only = false;
  bool print_only = false;
};

// Makes `app` write what it parses to `flags`, which must outlive it.
void AddFlags(CLI::App* app, Flags* flags);

}  // namespace sam3
