// One stream of several calls.
#include "cli/stream_account.h"

#include <gtest/gtest.h>

#include <string>

namespace sam3 {
namespace {

const grpc::Status kStopped(grpc::StatusCode::UNAVAILABLE, "the server stops");

class StreamAccountTest : public testing::Test {
 protected:
  static v1::SegmentStreamResponse Result(int64_t index, int nanos) {
    v1::SegmentStreamResponse message;
    message.mutable_result()->set_frame_index(index);
    message.mutable_result()->mutable_start_offset()->set_nanos(nanos);
    return message;
  }

  static v1::SegmentStreamResponse Started() {
    v1::SegmentStreamResponse message;
    message.mutable_started();
    return message;
  }

  static v1::SegmentStreamResponse Summary(int64_t answered, int64_t unwanted,
                                           const std::string& token) {
    v1::SegmentStreamResponse message;
    v1::StreamSummary* summary = message.mutable_summary();
    summary->set_frames_in_count(answered + unwanted);
    summary->set_answered_count(answered);
    auto* dropped = summary->add_dropped();
    dropped->set_reason(v1::DROP_REASON_SAMPLED_OUT);
    dropped->set_frame_count(unwanted);
    summary->set_resume_token(token);
    return message;
  }

  v1::SegmentStreamResponse Add(v1::SegmentStreamResponse message) {
    account_.Add(&message);
    return message;
  }

  StreamAccount account_{/*resumes=*/true};
  v1::SegmentStreamRequest config_;
};

TEST_F(StreamAccountTest, FramesAndTheirTimeGoOnInTheNextCall) {
  Add(Started());
  EXPECT_EQ(Add(Result(6, 900'000'000)).result().frame_index(), 6);
  v1::SegmentStreamResponse dropped;
  dropped.mutable_dropped()->set_first_frame_index(7);
  dropped.mutable_dropped()->set_last_frame_index(9);
  Add(dropped);
  Add(Summary(7, 3, "token"));
  ASSERT_TRUE(account_.GoesOn(kStopped, &config_));
  Add(Started());
  const auto next = Add(Result(0, 500'000'000));
  EXPECT_EQ(next.result().frame_index(), 10);
  EXPECT_EQ(next.result().start_offset().seconds(), 1);
  EXPECT_GE(next.result().start_offset().nanos(), 400'000'000);
  const auto gone = Add(dropped);
  EXPECT_EQ(gone.dropped().first_frame_index(), 17);
  EXPECT_EQ(gone.dropped().last_frame_index(), 19);
}

TEST_F(StreamAccountTest, NoFrameIsCountedTwiceWhenTheSummaryIsLost) {
  v1::SegmentStreamResponse going;
  going.mutable_going_away()->set_resume_token("token");
  Add(going);
  Add(Result(4, 0));
  ASSERT_TRUE(account_.GoesOn(kStopped, &config_));
  EXPECT_EQ(Add(Result(0, 0)).result().frame_index(), 5);
}

TEST_F(StreamAccountTest, ASummaryIsThatOfAllCalls) {
  Add(Summary(7, 3, "token"));
  ASSERT_TRUE(account_.GoesOn(kStopped, &config_));
  const auto total = Add(Summary(1, 2, ""));
  EXPECT_EQ(total.summary().frames_in_count(), 13);
  EXPECT_EQ(total.summary().answered_count(), 8);
  ASSERT_EQ(total.summary().dropped_size(), 1);
  EXPECT_EQ(total.summary().dropped(0).frame_count(), 5);
}

TEST_F(StreamAccountTest, TheTokenAloneOpensTheNextCall) {
  config_.mutable_config()->set_url("rtsp://cam.example/live");
  config_.mutable_config()->add_prompts()->set_text("person");
  Add(Summary(7, 3, "token"));
  ASSERT_TRUE(account_.GoesOn(kStopped, &config_));
  EXPECT_EQ(config_.config().resume_token(), "token");
  EXPECT_EQ(config_.config().prompts_size(), 0);
  EXPECT_EQ(config_.config().url(), "rtsp://cam.example/live");
}

TEST_F(StreamAccountTest, WhatEndsByItselfDoesNotGoOn) {
  EXPECT_FALSE(account_.GoesOn(kStopped, &config_));
  Add(Summary(7, 3, "token"));
  EXPECT_FALSE(account_.GoesOn(grpc::Status::OK, &config_));
  EXPECT_FALSE(account_.GoesOn(
      grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no"), &config_));
  // A full server: the next attempt may find another one.
  EXPECT_TRUE(account_.GoesOn(
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full"), &config_));
  Add(Started());
  EXPECT_FALSE(account_.GoesOn(kStopped, &config_));
}

TEST_F(StreamAccountTest, WhatCannotGoOnKeepsNoToken) {
  StreamAccount account(/*resumes=*/false);
  v1::SegmentStreamResponse summary = Summary(7, 3, "token");
  account.Add(&summary);
  EXPECT_FALSE(account.GoesOn(kStopped, &config_));
}

}  // namespace
}  // namespace sam3
