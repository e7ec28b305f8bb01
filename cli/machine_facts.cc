#include "cli/machine_facts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sam3 {
namespace {

namespace fs = std::filesystem;

// Version 1 writes a number of this order for "no limit".
constexpr int64_t kUnlimited = int64_t{1} << 60;
constexpr std::chrono::milliseconds kClockWait(50);

// "MemAvailable:   123 kB" in bytes; 0 when it is not there.
int64_t AvailableMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kilobytes = 0;
    if (parts.size() > 1 && parts[0] == "MemAvailable:" &&
        absl::SimpleAtoi(parts[1], &kilobytes)) {
      return kilobytes * 1024;
    }
  }
  return 0;
}

void TakeLimit(const fs::path& file, std::optional<int64_t>* lowest) {
  std::ifstream stream(file);
  std::string text;
  int64_t bytes = 0;
  // "max" is no number and no limit.
  if (stream >> text && absl::SimpleAtoi(text, &bytes) && bytes < kUnlimited &&
      (!lowest->has_value() || bytes < **lowest)) {
    *lowest = bytes;
  }
}

}  // namespace

std::optional<int64_t> ContainerMemoryLimit(const std::string& root,
                                            const std::string& groups_file) {
  std::optional<int64_t> lowest;
  std::ifstream groups(groups_file);
  for (std::string line; std::getline(groups, line);) {
    // hierarchy:controllers:/path
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const bool second = parts[1].empty();
    if (!second && parts[1] != "memory") continue;
    const fs::path top = second ? fs::path(root) : fs::path(root) / "memory";
    const char* name = second ? "memory.max" : "memory.limit_in_bytes";
    TakeLimit(top / name, &lowest);
    fs::path group = top;
    for (const fs::path& step : fs::path(parts[2]).relative_path()) {
      group /= step;
      TakeLimit(group / name, &lowest);
    }
  }
  return lowest;
}

MemoryFacts ReadMemoryFacts(int64_t model_bytes) {
  return {model_bytes, AvailableMemory(),
          ContainerMemoryLimit("/sys/fs/cgroup", "/proc/self/cgroup")};
}

ClockFacts ReadClockFacts() {
  ClockFacts facts;
  const auto monotonic = std::chrono::steady_clock::now();
  const auto wall = std::chrono::system_clock::now();
  std::this_thread::sleep_for(kClockWait);
  facts.monotonic_step =
      absl::FromChrono(std::chrono::steady_clock::now() - monotonic);
  facts.wall_step = absl::FromChrono(std::chrono::system_clock::now() - wall);
  facts.now = absl::FromChrono(wall);
  timex query{};
  const int state = ::ntp_adjtime(&query);
  if (state >= 0) facts.synchronised = state != TIME_ERROR;
  return facts;
}

int TryToListen(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  sockaddr_in socket_address{};
  socket_address.sin_family = AF_INET;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      ::inet_pton(AF_INET, address.substr(0, colon).c_str(),
                  &socket_address.sin_addr) != 1) {
    return EINVAL;
  }
  socket_address.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  // As the server does: a port that waits for late packets counts as free.
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  int error = 0;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&socket_address),
             sizeof(socket_address)) != 0 ||
      ::listen(fd, 1) != 0) {
    error = errno;
  }
  ::close(fd);
  return error;
}

bool NvidiaGpuPresent() {
  std::error_code error;
  return fs::exists("/dev/nvidia0", error) ||
         fs::exists("/proc/driver/nvidia/version", error);
}

}  // namespace sam3
