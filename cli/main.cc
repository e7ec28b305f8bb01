#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "service/version.h"

// CLI11 throws at set-up for mistakes in the flags' definitions alone.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  CLI::App app("Talks to a SAM 3 server, or runs one in this process.",
               "sam3ctl");
  app.require_subcommand(1);
  app.set_version_flag("--version", absl::StrCat("sam3ctl ", sam3::kVersion));
  app.footer(
      "Exit status: 0 ok, 2 wrong usage, 3 server refused, 4 server failed,\n"
      "5 unreachable.\n"
      "Examples:\n"
      "  sam3ctl segment a.jpg --demo --text \"red circle\" --overlay out.png\n"
      "  sam3ctl doctor\n"
      "  sam3ctl stream --help\n");
  struct Entry {
    const char* name;
    const char* help;
    sam3::RunCommand (*add)(CLI::App*);
  };
  const Entry entries[] = {
      {"segment", "Find things in a picture", sam3::AddSegmentCommand},
      {"click", "Mask the object under a click or in a box",
       sam3::AddClickCommand},
      {"stream", "Find things in a video", sam3::AddStreamCommand},
      {"watch", "Show what is followed in a video, live",
       sam3::AddWatchCommand},
      {"tensors", "Write the model's raw outputs", sam3::AddTensorsCommand},
      {"info", "Describe the server", sam3::AddInfoCommand},
      {"explain", "Say what a request would do", sam3::AddExplainCommand},
      {"verify", "Check a model folder", sam3::AddVerifyCommand},
      {"doctor", "Check this machine", sam3::AddDoctorCommand},
      {"keys", "Make, list and revoke keys", sam3::AddKeysCommand},
      {"scene", "Draw shapes that the demo model knows",
       sam3::AddSceneCommand}};
  std::vector<std::pair<CLI::App*, sam3::RunCommand>> commands;
  for (const Entry& entry : entries) {
    CLI::App* command = app.add_subcommand(entry.name, entry.help);
    commands.emplace_back(command, entry.add(command));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // CLI11 says only that a command is required.
    if (argc > 1 && app.get_subcommands().empty()) {
      std::fprintf(stderr, "sam3ctl: no command \"%s\"; see sam3ctl --help\n",
                   argv[1]);
      return sam3::kWrongUsage;
    }
    app.exit(error);
    return sam3::kWrongUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : sam3::kWrongUsage;
  }
  for (const auto& [command, run] : commands) {
    if (command->parsed()) return run();
  }
  return sam3::kWrongUsage;
}
