#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace sam3 {

// What one check of `doctor` came to. A note is worth knowing and stops
// nothing; a problem keeps the server from working.
struct Finding {
  enum class Verdict { kGood, kNote, kProblem };
  std::string subject;
  Verdict verdict = Verdict::kGood;
  std::string found;
  // What to do; empty when there is nothing.
  std::string advice = {};
};

struct MemoryFacts {
  // Weights on disk.
  int64_t model_bytes = 0;
  // What the system can still give; 0 = unknown.
  int64_t available_bytes = 0;
  // What the container may use in all; absent without such a limit.
  std::optional<int64_t> container_limit_bytes;
};

struct ClockFacts {
  absl::Time now;
  // How far wall clock and monotonic clock advanced in the same moment.
  absl::Duration wall_step;
  absl::Duration monotonic_step;
  // Whether the kernel counts the clock as synchronised; absent = unknown.
  std::optional<bool> synchronised;
};

// One address that the server listens on by default.
struct PortFacts {
  std::string flag;  // "--health-listen"
  std::string address;
  // 0, or the system's error number.
  int bind_error = 0;
  // The server that answers at the default address, for people; empty = none.
  std::string server = {};
  // This is the port of that server's answers.
  bool serves_calls = false;
};

struct DeviceFacts {
  std::string wanted;  // "cpu", "cuda:0"
  bool gpu_present = false;
  bool built_with_cuda = false;
};

// Judgements on facts that somebody else gathered. Pure; any thread.
Finding JudgeMemory(const MemoryFacts& facts);
Finding JudgeOpenFiles(uint64_t soft_limit, uint64_t hard_limit);
Finding JudgeClock(const ClockFacts& facts);
Finding JudgePort(const PortFacts& facts);
Finding JudgeDevice(const DeviceFacts& facts);

}  // namespace sam3
