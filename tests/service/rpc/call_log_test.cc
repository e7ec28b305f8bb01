#include "service/rpc/call_log.h"

#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "pipeline/error_reason.h"
#include "tests/support/fake_clock.h"

namespace sam3 {
namespace {

class CallLogTest : public testing::Test {
 protected:
  // The lines that `action` logs.
  static std::vector<std::string> LinesOf(const std::function<void()>& action) {
    testing::internal::CaptureStderr();
    action();
    return absl::StrSplit(testing::internal::GetCapturedStderr(), '\n',
                          absl::SkipEmpty());
  }

  CallLog::StreamRecord Stream() {
    return {.stream_id = "s1",
            .peer = "ipv4:127.0.0.1:9",
            .opened_at = clock_.Now(),
            .results = 7};
  }

  FakeClock clock_;
  RpcMetrics metrics_;
  const Logger logger_{LogLevel::kInfo, LogFormat::kKeyValue};
  CallLog log_{metrics_, &logger_, clock_};
  grpc::ServerContext call_;
};

TEST_F(CallLogTest, AStreamGetsALineHoweverItEnds) {
  const CallLog::StreamRecord stream = Stream();
  clock_.Advance(absl::Milliseconds(1500));
  const auto lines = LinesOf([&] {
    log_.StreamEnded(stream, absl::OkStatus());
    log_.StreamEnded(stream, absl::CancelledError("the client left"));
  });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("info stream_ended stream=s1 code=OK"),
            std::string::npos);
  EXPECT_NE(lines[1].find("code=CANCELLED reason=CANCELLED "
                          "message=\"the client left\" results=7 lasted=1.5s "
                          "peer=ipv4:127.0.0.1:9"),
            std::string::npos);
}

TEST_F(CallLogTest, SoDoRequestsOnAnotherDoorWhichAreNotCountedHere) {
  const auto lines = LinesOf([&] {
    log_.HttpEnded("/route", "10.0.0.7", absl::OkStatus());
    log_.HttpEnded("/route", "10.0.0.7", absl::NotFoundError("a"));
    log_.HttpEnded("/route", "10.0.0.7", absl::InternalError("b"));
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("error call_failed method=/route code=INTERNAL "
                          "reason=ENGINE_FAILURE message=b peer=10.0.0.7"),
            std::string::npos)
      << lines[0];
  EXPECT_EQ(metrics_.finished(0, 0).value(), 0);
}

TEST_F(CallLogTest, UnaryCallsGetOneOnlyWhereTheServerIsToBlame) {
  const auto lines = LinesOf([&] {
    for (const absl::Status& status :
         {absl::OkStatus(), absl::InvalidArgumentError("a"),
          absl::CancelledError("b"),
          WithReason(absl::ResourceExhaustedError("c"), reason::kOverloaded),
          WithReason(absl::InternalError("broken\nkernel"),
                     reason::kEngineFailure)}) {
      log_.UnaryEnded(RpcMethod::kSegmentConcepts, call_, status);
    }
  });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("error call_failed method=SegmentConcepts "
                          "code=INTERNAL reason=ENGINE_FAILURE "
                          "message=\"broken\\nkernel\""),
            std::string::npos);
}

TEST_F(CallLogTest, AFloodIsCutAndCounted) {
  const auto flood = [&] {
    for (int i = 0; i < 1000; ++i) {
      log_.StreamEnded(Stream(), absl::CancelledError("gone"));
    }
  };
  EXPECT_EQ(LinesOf(flood).size(), static_cast<size_t>(CallLog::kBurst));
  clock_.Advance(absl::Seconds(2));
  const auto later = LinesOf(flood);
  ASSERT_EQ(later.size(), static_cast<size_t>(2 * CallLog::kPerSecond));
  EXPECT_NE(
      later[0].find(absl::StrCat("lines_left_out=", 1000 - CallLog::kBurst)),
      std::string::npos);
  EXPECT_NE(later[1].find("lines_left_out=0"), std::string::npos);
  // Every one was counted.
  constexpr auto kCancelled = static_cast<size_t>(absl::StatusCode::kCancelled);
  EXPECT_EQ(
      metrics_
          .finished(static_cast<size_t>(RpcMethod::kSegmentStream), kCancelled)
          .value(),
      2000);
}

TEST_F(CallLogTest, WithoutALoggerCallsAreCountedOnly) {
  CallLog quiet(metrics_, nullptr, clock_);
  EXPECT_TRUE(LinesOf([&] {
                quiet.StreamEnded(Stream(), absl::InternalError("x"));
              }).empty());
}

}  // namespace
}  // namespace sam3
