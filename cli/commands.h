#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace sam3 {

// Each adds one subcommand of sam3ctl: its flags, its help with examples, and
// the function that runs it and returns the exit status. The flags' memory
// lives in that function.
using RunCommand = std::function<int()>;

RunCommand AddSegmentCommand(CLI::App* app);
RunCommand AddClickCommand(CLI::App* app);
RunCommand AddStreamCommand(CLI::App* app);
RunCommand AddWatchCommand(CLI::App* app);
RunCommand AddTensorsCommand(CLI::App* app);
RunCommand AddInfoCommand(CLI::App* app);
RunCommand AddExplainCommand(CLI::App* app);
RunCommand AddVerifyCommand(CLI::App* app);
RunCommand AddDoctorCommand(CLI::App* app);
RunCommand AddKeysCommand(CLI::App* app);
RunCommand AddSceneCommand(CLI::App* app);

}  // namespace sam3
