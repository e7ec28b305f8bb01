#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/connection.h"
#include "cli/prompt_flags.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// Flags of the commands that open a SegmentStream. A value.
struct StreamFlags {
  ConnectionOptions connection;
  PromptFlags prompts;
  std::vector<std::string> objects;
  std::string source;
  // The source is a file of the server's.
  bool server_file = false;
  bool latest = false;
  bool every = false;
  bool track = false;
  int confirm = 0;
  int detect_every = 0;
  double fps = 0;

  // Of a camera, which the server fetches.
  bool is_url() const { return source.find("://") != std::string::npos; }
  // Whose bytes this program sends; empty when it sends none.
  std::string pushed_file() const {
    return is_url() || server_file ? "" : source;
  }
  // What results are called, by prompt; given objects have numbers for names.
  std::vector<std::string> labels() const;
};

// The source, prompts, objects, the connection, --latest, --every and --fps.
void AddStreamFlags(CLI::App* app, StreamFlags* flags);
// --confirm and --detect-every; with `track` only, unless that is null.
void AddTrackFlags(CLI::App* app, StreamFlags* flags, CLI::Option* track);

// A stream's first message. INVALID_ARGUMENT for prompts or objects that cannot
// be read, NOT_FOUND for a file that is not there to be sent.
absl::StatusOr<v1::SegmentStreamRequest> MakeStreamConfig(
    const StreamFlags& flags);

}  // namespace sam3
