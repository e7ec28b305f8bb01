// What `doctor` concludes from facts about a machine.
#include "cli/machine_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cli/machine_facts.h"

namespace sam3 {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Verdict = Finding::Verdict;

constexpr int64_t kGb = 1'000'000'000;

TEST(MachineChecksTest, MemoryIsWeighedAgainstTheModel) {
  // 3.44 GB of weights want 5.5 GB while they load, and 1.6 GB beside them.
  const int64_t model = 3440 * kGb / 1000;
  EXPECT_EQ(JudgeMemory({model, 8 * kGb, std::nullopt}).verdict,
            Verdict::kGood);
  const Finding little = JudgeMemory({model, 6 * kGb, std::nullopt});
  EXPECT_EQ(little.verdict, Verdict::kProblem);
  EXPECT_THAT(little.advice, HasSubstr("free memory"));
  const Finding caged = JudgeMemory({model, 64 * kGb, 4 * kGb});
  EXPECT_EQ(caged.verdict, Verdict::kProblem);
  EXPECT_THAT(caged.advice, HasSubstr("container"));
  EXPECT_EQ(JudgeMemory({0, 2 * kGb, 2 * kGb}).verdict, Verdict::kGood);
  EXPECT_EQ(JudgeMemory({model, 0, std::nullopt}).verdict, Verdict::kGood);
}

TEST(MachineChecksTest, FewOpenFilesAreAProblem) {
  EXPECT_EQ(JudgeOpenFiles(1024, 4096).verdict, Verdict::kGood);
  const Finding some = JudgeOpenFiles(512, 4096);
  EXPECT_EQ(some.verdict, Verdict::kNote);
  EXPECT_THAT(some.advice, HasSubstr("ulimit -n 4096"));
  const Finding few = JudgeOpenFiles(64, 64);
  EXPECT_EQ(few.verdict, Verdict::kProblem);
  EXPECT_THAT(few.advice, HasSubstr("hard limit"));
}

TEST(MachineChecksTest, ClocksThatDeadlinesCannotRelyOn) {
  const absl::Time now = absl::FromCivil(
      absl::CivilSecond(2026, 11, 24, 12, 0, 0), absl::UTCTimeZone());
  const absl::Duration step = absl::Milliseconds(50);
  const Finding good = JudgeClock({now, step, step, true});
  EXPECT_EQ(good.verdict, Verdict::kGood);
  EXPECT_THAT(good.found, HasSubstr("2026-11-24 12:00:00"));
  EXPECT_EQ(JudgeClock({now, step, step, std::nullopt}).verdict,
            Verdict::kGood);
  EXPECT_EQ(JudgeClock({now, step, step, false}).verdict, Verdict::kNote);
  EXPECT_THAT(JudgeClock({absl::UnixEpoch(), step, step, true}).advice,
              HasSubstr("never set"));
  EXPECT_THAT(JudgeClock({now, absl::Seconds(5), step, true}).found,
              HasSubstr("jumps"));
  EXPECT_EQ(JudgeClock({now, step, absl::ZeroDuration(), true}).verdict,
            Verdict::kProblem);
}

TEST(MachineChecksTest, PortsThatAreTaken) {
  PortFacts facts{"--health-listen", "127.0.0.1:50052", 0, "", false};
  EXPECT_EQ(JudgePort(facts).verdict, Verdict::kGood);
  facts.bind_error = EADDRINUSE;
  const Finding stranger = JudgePort(facts);
  EXPECT_EQ(stranger.verdict, Verdict::kProblem);
  EXPECT_THAT(stranger.advice, HasSubstr("--health-listen"));
  facts.server = "sam3-server 1 (x)";
  EXPECT_EQ(JudgePort(facts).verdict, Verdict::kNote);
  facts.serves_calls = true;
  EXPECT_EQ(JudgePort(facts).verdict, Verdict::kGood);
  EXPECT_THAT(JudgePort(facts).found, HasSubstr("sam3-server 1 (x) answers"));
  facts.bind_error = EACCES;
  EXPECT_EQ(JudgePort(facts).verdict, Verdict::kProblem);
}

TEST(MachineChecksTest, AGpuThatIsNotUsed) {
  EXPECT_THAT(JudgeDevice({"cpu", false, false}).advice, IsEmpty());
  EXPECT_THAT(JudgeDevice({"cuda:0", true, true}).advice, IsEmpty());
  EXPECT_THAT(JudgeDevice({"cpu", true, false}).advice, HasSubstr("build"));
  EXPECT_THAT(JudgeDevice({"cpu", true, true}).advice, Not(HasSubstr("build")));
}

TEST(MachineChecksTest, AListenerMakesItsPortTaken) {
  EXPECT_EQ(TryToListen("127.0.0.1:0"), 0);
  EXPECT_EQ(TryToListen("nowhere"), EINVAL);
  EXPECT_EQ(TryToListen("192.0.2.1:1"), EADDRNOTAVAIL);
}

class ContainerLimitTest : public testing::Test {
 protected:
  ContainerLimitTest()
      : root_(std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::create_directories(root_ / "a/b");
    std::filesystem::create_directories(root_ / "memory/c");
  }
  ~ContainerLimitTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }
  std::optional<int64_t> Limit() {
    return ContainerMemoryLimit(root_.string(), (root_ / "groups").string());
  }

  const std::filesystem::path root_;
};

TEST_F(ContainerLimitTest, TheLowestOfAllLevelsCounts) {
  EXPECT_EQ(Limit(), std::nullopt);
  Write("groups", "0::/a/b\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("a/b/memory.max", "max\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("a/memory.max", "5000\n");
  EXPECT_EQ(Limit(), 5000);
  Write("a/b/memory.max", "4000\n");
  EXPECT_EQ(Limit(), 4000);
  Write("memory.max", "3000\n");
  EXPECT_EQ(Limit(), 3000);
}

TEST_F(ContainerLimitTest, TheOldHierarchyIsReadToo) {
  Write("groups", "7:cpu:/a\n5:memory:/c\n");
  Write("a/memory.max", "1\n");
  Write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("memory/c/memory.limit_in_bytes", "6000\n");
  EXPECT_EQ(Limit(), 6000);
}

}  // namespace
}  // namespace sam3
