#include "pipeline/media/confinement.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "inference/base/status_macros.h"
#include "pipeline/media/system_error.h"

namespace sam3 {
namespace {

struct FreeFilter {
  void operator()(scmp_filter_ctx filter) const { seccomp_release(filter); }
};
using UniqueFilter =
    std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, FreeFilter>;

// Memory, what is open already, time, locks, and the end. Pipes lead nowhere
// else; sanitizers look through them whether memory may be read.
constexpr int kAllowed[] = {SCMP_SYS(read),
                            SCMP_SYS(write),
                            SCMP_SYS(pread64),
                            SCMP_SYS(lseek),
                            SCMP_SYS(close),
                            SCMP_SYS(sendto),
                            SCMP_SYS(sendmsg),
                            SCMP_SYS(recvfrom),
                            SCMP_SYS(recvmsg),
                            SCMP_SYS(pipe2),
                            SCMP_SYS(poll),
                            SCMP_SYS(ppoll),
                            SCMP_SYS(munmap),
                            SCMP_SYS(mremap),
                            SCMP_SYS(madvise),
                            SCMP_SYS(brk),
                            SCMP_SYS(futex),
                            SCMP_SYS(sched_yield),
                            SCMP_SYS(sched_getaffinity),
                            SCMP_SYS(getrandom),
                            SCMP_SYS(clock_gettime),
                            SCMP_SYS(clock_nanosleep),
                            SCMP_SYS(nanosleep),
                            SCMP_SYS(gettimeofday),
                            SCMP_SYS(getpid),
                            SCMP_SYS(gettid),
                            SCMP_SYS(rt_sigaction),
                            SCMP_SYS(rt_sigprocmask),
                            SCMP_SYS(rt_sigreturn),
                            SCMP_SYS(sigaltstack),
                            SCMP_SYS(restart_syscall),
                            SCMP_SYS(exit),
                            SCMP_SYS(exit_group)};

// The kernel counts what is there already.
absl::Status LimitMemory(size_t max_memory_bytes) {
  std::ifstream status("/proc/self/status");
  int64_t held_kb = -1;
  for (std::string word; status >> word;) {
    if (word == "VmData:") status >> held_kb;
  }
  if (held_kb < 0) return absl::UnavailableError("/proc/self/status has gone");
  const rlim_t most = static_cast<rlim_t>(held_kb) * 1024 + max_memory_bytes;
  const rlimit limit = {most, most};
  if (::setrlimit(RLIMIT_DATA, &limit) != 0) {
    return SystemError("memory cannot be limited", errno);
  }
  return absl::OkStatus();
}

absl::Status LimitRest() {
  const rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 ||
      ::setrlimit(RLIMIT_FSIZE, &none) != 0) {
    return SystemError("resources cannot be limited", errno);
  }
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return SystemError("privileges cannot be given up", errno);
  }
  return absl::OkStatus();
}

absl::Status FilterCalls() {
  const UniqueFilter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return absl::UnavailableError("no memory");
  int error = 0;
  const auto allow = [&](int call, const std::vector<scmp_arg_cmp>& where) {
    const int added = seccomp_rule_add_array(
        filter.get(), SCMP_ACT_ALLOW, call,
        static_cast<unsigned int>(where.size()), where.data());
    if (error == 0) error = added;
  };
  for (const int call : kAllowed) allow(call, {});
  // Memory that is not run.
  const scmp_arg_cmp not_run = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    allow(call, {not_run});
  }
  // abort() of its own.
  const auto self = static_cast<scmp_datum_t>(::getpid());
  allow(SCMP_SYS(tgkill), {{0, SCMP_CMP_EQ, self, 0}});
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus()
                    : SystemError("system calls cannot be filtered", -error);
}

}  // namespace

absl::Status ConfineThisProcess(size_t max_memory_bytes) {
  SAM3_RETURN_IF_ERROR(LimitMemory(max_memory_bytes));
  SAM3_RETURN_IF_ERROR(LimitRest());
  return FilterCalls();
}

}  // namespace sam3
