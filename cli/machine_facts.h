#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/machine_checks.h"

namespace sam3 {

// Asks this machine for what machine_checks judges. Each reads system files or
// makes system calls, and blocks for milliseconds at most; any thread.

// Available memory and the container's limit, for a model of `model_bytes`.
MemoryFacts ReadMemoryFacts(int64_t model_bytes);
ClockFacts ReadClockFacts();
// Whether a server could listen on an IPv4 HOST:PORT: 0, or the error number.
int TryToListen(const std::string& address);
// A driver that shows an NVIDIA GPU.
bool NvidiaGpuPresent();

// The lowest memory limit from the control group of `groups_file` (the text of
// /proc/self/cgroup) up to the root, under a version 2 hierarchy, or of version
// 1's memory controller, at `root`. Nothing when there is none.
std::optional<int64_t> ContainerMemoryLimit(const std::string& root,
                                            const std::string& groups_file);

}  // namespace sam3
