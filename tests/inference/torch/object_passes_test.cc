#include "inference/torch/tracker/object_passes.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "inference/torch/aten.h"

namespace sam3 {
namespace {

using testing::ElementsAre;

// libtorch works with so many threads while this object lives.
class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) {
    at::set_num_threads(count);
  }
  ~Threads() { at::set_num_threads(before_); }

 private:
  const int before_;
};

std::vector<size_t> Sizes(const ObjectPasses& passes) {
  std::vector<size_t> sizes;
  for (size_t i = 0; i < passes.count(); ++i) {
    sizes.push_back(passes.members(i).size());
  }
  return sizes;
}

TEST(ObjectPassesTest, ACpuSharesObjectsOutEvenly) {
  const Threads threads(2);
  EXPECT_THAT(Sizes(ObjectPasses(49, true)),
              ElementsAre(6, 6, 6, 6, 6, 6, 6, 7));
  EXPECT_THAT(Sizes(ObjectPasses(4, true)), ElementsAre(2, 2));
  // Too few for every thread to have some.
  EXPECT_THAT(Sizes(ObjectPasses(3, true)), ElementsAre(3));
  EXPECT_THAT(Sizes(ObjectPasses(0, true)), ElementsAre());
}

TEST(ObjectPassesTest, OneThreadAndGpusBoundThemAlone) {
  const Threads threads(1);
  EXPECT_THAT(Sizes(ObjectPasses(17, true)), ElementsAre(5, 6, 6));
  EXPECT_THAT(Sizes(ObjectPasses(64, false)), ElementsAre(64));
  EXPECT_THAT(Sizes(ObjectPasses(65, false)), ElementsAre(32, 33));
}

TEST(ObjectPassesTest, EveryObjectIsInOnePassOfItsKind) {
  const Threads threads(3);
  std::map<int, std::vector<size_t>> kinds;
  constexpr size_t kCount = 101;
  for (size_t i = 0; i < kCount; ++i) {
    kinds[static_cast<int>(i * i % 7)].push_back(i);
  }
  for (const bool on_cpu : {false, true}) {
    const ObjectPasses passes(kinds, on_cpu);
    std::vector<size_t> seen;
    for (size_t pass = 0; pass < passes.count(); ++pass) {
      const auto members = passes.members(pass);
      ASSERT_FALSE(members.empty());
      EXPECT_LE(members.size(), on_cpu ? 8u : 64u);
      for (const size_t i : members) {
        EXPECT_EQ(i * i % 7, members[0] * members[0] % 7);
        seen.push_back(i);
      }
    }
    EXPECT_EQ(seen, passes.order());
    std::sort(seen.begin(), seen.end());
    ASSERT_EQ(seen.size(), kCount);
    for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(seen[i], i);
  }
}

// Fails where libtorch's loops are compiled to run on one thread.
TEST(ObjectPassesTest, PassesOfACpuRunSideBySide) {
  const Threads threads(2);
  std::atomic<int> arrived{0};
  std::atomic<int> met{0};
  ObjectPasses(4, true).Run([&](size_t) {
    ++arrived;
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (arrived < 2 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    if (arrived == 2) ++met;
    EXPECT_TRUE(c10::InferenceMode::is_enabled());
  });
  EXPECT_EQ(met, 2);
}

TEST(ObjectPassesTest, WhatAPassThrowsComesOut) {
  const Threads threads(2);
  EXPECT_THROW(ObjectPasses(40, true).Run([](size_t pass) {
    if (pass == 1) throw std::runtime_error("no memory");
  }),
               std::runtime_error);
}

}  // namespace
}  // namespace sam3
