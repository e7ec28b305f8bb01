#include "service/process_facts.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sam3 {

int64_t UsableMemoryBytes() {
  const int64_t machine =
      int64_t{::sysconf(_SC_PHYS_PAGES)} * int64_t{::sysconf(_SC_PAGESIZE)};
  // Says "max" where there is no limit.
  int64_t group = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> group) {
    return std::min(group, machine);
  }
  return machine;
}

int64_t ResidentBytes() {
  int64_t all = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * int64_t{::sysconf(_SC_PAGESIZE)};
}

int64_t OpenFileCount() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  // One of them is the folder itself.
  return error ? 0 : std::distance(begin(files), end(files)) - 1;
}

}  // namespace sam3
