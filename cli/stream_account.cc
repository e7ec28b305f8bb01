#include "cli/stream_account.h"

#include <algorithm>
#include <thread>

#include "cli/output.h"

namespace sam3 {
namespace {

constexpr std::chrono::milliseconds kBetweenAttempts{200};
// A token is good for a minute.
constexpr std::chrono::seconds kBetweenCalls{50};

}  // namespace

void StreamAccount::Add(v1::SegmentStreamResponse* message) {
  CountOn(message);
  if (message->has_started()) {
    token_.clear();
    attempts_ = 0;
  } else if (message->has_result()) {
    AddResult(message->mutable_result());
  } else if (message->has_going_away()) {
    Keep(message->going_away().resume_token());
  } else if (message->has_summary()) {
    Keep(message->summary().resume_token());
    AddSummary(message->mutable_summary());
  }
}

bool StreamAccount::GoesOn(const grpc::Status& ended,
                           v1::SegmentStreamRequest* config) {
  if (token_.empty() || std::chrono::steady_clock::now() > begin_until_ ||
      !(ended.error_code() == grpc::StatusCode::UNAVAILABLE ||
        ended.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)) {
    return false;
  }
  if (attempts_++ > 0) std::this_thread::sleep_for(kBetweenAttempts);
  frames_before_ = std::max(next_frame_, total_.frames_in_count());
  time_before_ =
      std::max(absl::FromChrono(std::chrono::steady_clock::now() - start_),
               last_offset_);
  config->mutable_config()->clear_prompts();
  config->mutable_config()->set_resume_token(token_);
  return true;
}

void StreamAccount::Keep(const std::string& token) {
  if (!resumes_ || token.empty()) return;
  token_ = token;
  begin_until_ = std::chrono::steady_clock::now() + kBetweenCalls;
}

void StreamAccount::AddResult(v1::FrameResult* result) {
  last_offset_ = time_before_ + ToDuration(result->start_offset());
  const int64_t seconds = absl::ToInt64Seconds(last_offset_);
  result->mutable_start_offset()->set_seconds(seconds);
  result->mutable_start_offset()->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(last_offset_ - absl::Seconds(seconds))));
}

void StreamAccount::AddSummary(v1::StreamSummary* summary) {
  total_.set_frames_in_count(total_.frames_in_count() +
                             summary->frames_in_count());
  total_.set_answered_count(total_.answered_count() +
                            summary->answered_count());
  total_.set_refused_count(total_.refused_count() + summary->refused_count());
  for (const auto& added : summary->dropped()) {
    auto* known = total_.mutable_dropped();
    const auto found = std::find_if(
        known->begin(), known->end(),
        [&added](const auto& one) { return one.reason() == added.reason(); });
    auto* entry = found == known->end() ? total_.add_dropped() : &*found;
    entry->set_reason(added.reason());
    entry->set_frame_count(entry->frame_count() + added.frame_count());
  }
  const std::string token = summary->resume_token();
  *summary = total_;
  if (!token.empty()) summary->set_resume_token(token);
}

void StreamAccount::CountOn(v1::SegmentStreamResponse* message) {
  const auto move = [this](auto* counted) {
    counted->set_frame_index(counted->frame_index() + frames_before_);
    return counted->frame_index() + 1;
  };
  if (message->has_result()) next_frame_ = move(message->mutable_result());
  if (message->has_refused()) next_frame_ = move(message->mutable_refused());
  if (message->has_source_event()) move(message->mutable_source_event());
  if (message->has_dropped()) {
    v1::FramesDropped* dropped = message->mutable_dropped();
    dropped->set_first_frame_index(dropped->first_frame_index() +
                                   frames_before_);
    dropped->set_last_frame_index(dropped->last_frame_index() + frames_before_);
    next_frame_ = dropped->last_frame_index() + 1;
  }
}

}  // namespace sam3
