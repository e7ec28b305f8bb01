#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// Makes one stream of several calls: a camera's that is followed goes on with
// another server when its own stops. Each call counts its frames and their time
// from 0; here they go on.
//
// One thread; blocks in GoesOn() only, for a moment.
class StreamAccount {
 public:
  // `resumes`: whether another call may follow at all.
  explicit StreamAccount(bool resumes) : resumes_(resumes) {}

  bool resumes() const { return resumes_; }

  // Counts what a call tells, and makes its numbers the whole stream's. A
  // summary becomes that of all calls until now.
  void Add(v1::SegmentStreamResponse* message);

  // Whether another call is to follow one that ended so; then `config` opens
  // it.
  bool GoesOn(const grpc::Status& ended, v1::SegmentStreamRequest* config);

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Keep(const std::string& token);
  void AddResult(v1::FrameResult* result);
  void AddSummary(v1::StreamSummary* summary);
  // Frames that earlier calls had come first.
  void CountOn(v1::SegmentStreamResponse* message);

  const bool resumes_;
  const Time start_ = std::chrono::steady_clock::now();
  // Of the calls before this one.
  int64_t frames_before_ = 0;
  absl::Duration time_before_;
  // After all frames that are accounted for.
  int64_t next_frame_ = 0;
  absl::Duration last_offset_;
  v1::StreamSummary total_;
  // From the moment that the server says that it stops until another call has
  // begun: what opens it, and by when.
  std::string token_;
  Time begin_until_;
  int attempts_ = 0;
};

}  // namespace sam3
