#include "cli/machine_checks.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sam3 {
namespace {

using Verdict = Finding::Verdict;

// Loading holds the file's pages and the packed weights at once: measured 5.3
// GB for 3.4 GB. Beside that: libraries, and the cache of embeddings with its
// default size.
constexpr double kLoadingFactor = 1.6;
constexpr int64_t kBesideTheModel = int64_t{1536} << 20;

// A connection, a spool file or a listener takes one each.
constexpr uint64_t kFewFiles = 256;
constexpr uint64_t kEnoughFiles = 1024;

// A clock before this was never set.
constexpr int kEarliestYear = 2025;
constexpr absl::Duration kLargestDrift = absl::Milliseconds(20);

std::string Gigabytes(int64_t bytes) {
  return absl::StrFormat("%.1f GB", static_cast<double>(bytes) * 1e-9);
}

}  // namespace

Finding JudgeMemory(const MemoryFacts& facts) {
  const int64_t need =
      static_cast<int64_t>(std::llround(static_cast<double>(facts.model_bytes) *
                                        kLoadingFactor)) +
      kBesideTheModel;
  Finding finding{"memory", Verdict::kGood,
                  absl::StrCat("this model wants about ", Gigabytes(need))};
  const auto lacking = [&](absl::string_view advice) {
    finding.verdict = Verdict::kProblem;
    finding.advice = std::string(advice);
  };
  if (facts.available_bytes > 0) {
    absl::StrAppend(&finding.found, ", ", Gigabytes(facts.available_bytes),
                    " are available");
    if (facts.available_bytes < need) {
      lacking("free memory, or lower --image-cache-mb (1024 by default)");
    }
  }
  if (facts.container_limit_bytes.has_value()) {
    absl::StrAppend(&finding.found, ", the container may use ",
                    Gigabytes(*facts.container_limit_bytes));
    if (*facts.container_limit_bytes < need) {
      lacking(
          "raise the container's memory limit, or lower --image-cache-mb "
          "(1024 by default)");
    }
  }
  return finding;
}

Finding JudgeOpenFiles(uint64_t soft_limit, uint64_t hard_limit) {
  Finding finding{"open files", Verdict::kGood,
                  absl::StrCat("up to ", soft_limit)};
  if (soft_limit >= kEnoughFiles) return finding;
  finding.verdict = soft_limit < kFewFiles ? Verdict::kProblem : Verdict::kNote;
  finding.advice = absl::StrCat(
      "every connection takes one: ulimit -n ",
      std::min<uint64_t>(std::max(hard_limit, soft_limit), 65536),
      hard_limit < kEnoughFiles ? ", after raising the hard limit" : "");
  return finding;
}

Finding JudgeClock(const ClockFacts& facts) {
  Finding finding{"clock", Verdict::kGood,
                  absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", facts.now,
                                   absl::UTCTimeZone())};
  if (facts.monotonic_step <= absl::ZeroDuration()) {
    finding.verdict = Verdict::kProblem;
    finding.found += ", the monotonic clock stands still";
    finding.advice = "deadlines cannot work here; restart the machine";
  } else if (absl::ToCivilYear(facts.now, absl::UTCTimeZone()).year() <
             kEarliestYear) {
    finding.verdict = Verdict::kProblem;
    finding.advice = "the clock was never set: set it, or start an NTP client";
  } else if (absl::AbsDuration(facts.wall_step - facts.monotonic_step) >
             kLargestDrift) {
    finding.verdict = Verdict::kProblem;
    finding.found += ", it jumps";
    finding.advice =
        "something sets the clock again and again; deadlines of requests "
        "depend on it";
  } else if (facts.synchronised == false) {
    finding.verdict = Verdict::kNote;
    finding.found += ", not known to be synchronised";
    finding.advice =
        "where times of several machines are compared, run an NTP client";
  }
  return finding;
}

Finding JudgePort(const PortFacts& facts) {
  Finding finding{
      absl::StrCat("port ", facts.address.substr(facts.address.rfind(':') + 1)),
      Verdict::kGood, absl::StrCat(facts.address, " is free")};
  if (facts.bind_error == 0) return finding;
  if (facts.bind_error != EADDRINUSE) {
    finding.verdict = Verdict::kProblem;
    finding.found =
        absl::StrCat(facts.address, " cannot be listened on: ",
                     std::generic_category().message(facts.bind_error));
    finding.advice =
        absl::StrCat("give sam3-server another address with ", facts.flag);
  } else if (facts.server.empty()) {
    finding.verdict = Verdict::kProblem;
    finding.found = absl::StrCat(facts.address,
                                 " is taken, and no sam3-server answers at the "
                                 "default address");
    finding.advice = absl::StrCat(
        "end the program that holds it, or give sam3-server another address "
        "with ",
        facts.flag);
  } else if (facts.serves_calls) {
    finding.found = absl::StrCat(facts.server, " answers at ", facts.address);
  } else {
    finding.verdict = Verdict::kNote;
    finding.found = absl::StrCat(facts.address, " is taken");
    finding.advice = absl::StrCat(
        "as it should be if the server that runs has its default addresses; "
        "a second one needs another ",
        facts.flag);
  }
  return finding;
}

Finding JudgeDevice(const DeviceFacts& facts) {
  Finding finding{"device", Verdict::kGood, facts.wanted};
  if (facts.wanted != "cpu" || !facts.gpu_present) return finding;
  finding.verdict = Verdict::kNote;
  finding.found = "cpu, though an NVIDIA GPU is there";
  finding.advice = facts.built_with_cuda
                       ? "add --device cuda:0"
                       : "build with CUDA (scripts/demo --cuda, or the cuda "
                         "preset) and add --device cuda:0";
  return finding;
}

}  // namespace sam3
