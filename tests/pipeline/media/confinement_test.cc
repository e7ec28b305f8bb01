// What a confined process may still do, tried by processes that are.
#include "pipeline/media/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>
#include <vector>

namespace sam3 {
namespace {

constexpr int kHolds = 40;
constexpr int kDoesNotHold = 41;
constexpr int kNotConfined = 42;
constexpr size_t kMemory = size_t{64} << 20;

// Whether `holds` does in a process that has confined itself.
bool Confined(const std::function<bool()>& holds) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!ConfineThisProcess(kMemory).ok()) ::_exit(kNotConfined);
    ::_exit(holds() ? kHolds : kDoesNotHold);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != kNotConfined)
      << status;
  return WIFEXITED(status) && WEXITSTATUS(status) == kHolds;
}

// Whether the call that returned `result` was refused.
bool Refused(int64_t result) { return result == -1 && errno == EPERM; }

void* Map(size_t size, int protection) {
  return ::mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST(ConfinementTest, FilesAreOutOfReach) {
  EXPECT_TRUE(
      Confined([] { return Refused(::open("/etc/passwd", O_RDONLY)); }));
  EXPECT_TRUE(Confined([] {
    return Refused(::open("/tmp/sam3-confined", O_CREAT | O_WRONLY, 0600));
  }));
  EXPECT_TRUE(Confined([] { return Refused(::unlink("/tmp/sam3-none")); }));
}

TEST(ConfinementTest, SoIsTheNetwork) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK}) {
    EXPECT_TRUE(Confined([family] {
      return Refused(::socket(family, SOCK_DGRAM, 0));
    })) << family;
  }
}

TEST(ConfinementTest, SoAreOtherProcessesAndPrograms) {
  const pid_t parent = ::getpid();
  EXPECT_TRUE(Confined([parent] { return Refused(::kill(parent, 0)); }));
  EXPECT_TRUE(Confined(
      [parent] { return Refused(::syscall(SYS_tgkill, parent, parent, 0)); }));
  EXPECT_TRUE(Confined([] { return Refused(::syscall(SYS_fork)); }));
  EXPECT_TRUE(Confined([] {
    char* const none[] = {nullptr};
    return Refused(::execve("/bin/true", none, none));
  }));
}

TEST(ConfinementTest, NewCodeCannotBeRun) {
  EXPECT_TRUE(Confined([] {
    return Map(4096, PROT_READ | PROT_WRITE | PROT_EXEC) == MAP_FAILED;
  }));
  EXPECT_TRUE(Confined([] {
    return Refused(::mprotect(Map(4096, PROT_READ | PROT_WRITE), 4096,
                              PROT_READ | PROT_EXEC));
  }));
}

TEST(ConfinementTest, MemoryEndsWhereItShould) {
  const auto fits = [](size_t size) {
    return Map(size, PROT_READ | PROT_WRITE) != MAP_FAILED;
  };
  EXPECT_TRUE(Confined([&] { return fits(kMemory / 2); }));
  EXPECT_FALSE(Confined([&] { return fits(kMemory * 2); }));
}

TEST(ConfinementTest, WhatIsOpenStaysOfUse) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_TRUE(Confined([&ends] {
    char byte = 0;
    return ::write(ends[1], "x", 1) == 1 && ::read(ends[0], &byte, 1) == 1 &&
           byte == 'x';
  }));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace sam3
