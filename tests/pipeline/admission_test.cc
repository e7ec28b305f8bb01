#include "pipeline/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "pipeline/error_reason.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace sam3 {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  absl::Status Admit(const std::string& key, size_t bytes = 0) {
    auto ticket = admission_.AdmitRequest(key, bytes);
    if (!ticket.ok()) return ticket.status();
    tickets_.push_back(*std::move(ticket));
    return absl::OkStatus();
  }

  FakeClock clock_;
  PipelineMetrics metrics_;
  Admission admission_{
      {.max_requests = 8, .max_bytes = 1000}, clock_, metrics_};
  std::vector<std::unique_ptr<Admission::Ticket>> tickets_;
};

TEST_F(AdmissionTest, OneKeyLeavesRoomForOthers) {
  EXPECT_THAT(Admit("greedy"), IsOk());
  EXPECT_THAT(Admit("greedy"), IsOk());
  const absl::Status refused = Admit("greedy");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "2 requests of this key"));
  EXPECT_EQ(ReasonOf(refused), reason::kOverloaded);
  EXPECT_TRUE(RetryAfterOf(refused).has_value());
  EXPECT_THAT(Admit("modest"), IsOk());
  tickets_.erase(tickets_.begin());
  EXPECT_THAT(Admit("greedy"), IsOk());
}

TEST_F(AdmissionTest, BytesOfAKeyAreBoundedToo) {
  // What it has alone may be of any size that the server takes.
  EXPECT_THAT(Admit("greedy", 800), IsOk());
  EXPECT_THAT(Admit("greedy", 100),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "requests of this key hold 800 bytes"));
  tickets_[0]->ShrinkTo(100);
  EXPECT_THAT(Admit("greedy", 401),
              StatusIs(absl::StatusCode::kResourceExhausted, "100 bytes"));
  EXPECT_THAT(Admit("greedy", 400), IsOk());
  EXPECT_THAT(Admit("modest", 400), IsOk());
}

TEST_F(AdmissionTest, CallsWithoutAKeyMayHaveEverything) {
  for (int i = 0; i < 8; ++i) EXPECT_THAT(Admit("", 125), IsOk());
  EXPECT_THAT(Admit(""), StatusIs(absl::StatusCode::kResourceExhausted,
                                  "8 requests are in work"));
  tickets_.clear();
  EXPECT_TRUE(admission_.AwaitIdle(clock_.Now()));
}

}  // namespace
}  // namespace sam3
