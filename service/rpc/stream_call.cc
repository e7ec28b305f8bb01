#include "service/rpc/stream_call.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "service/convert.h"
#include "service/grpc_status.h"
#include "service/rpc/call_context.h"

namespace sam3 {
namespace {

// The range of google.protobuf.Timestamp: the years 1 to 9999.
constexpr int64_t kFirstSecond = -62'135'596'800;
constexpr int64_t kLastSecond = 253'402'300'799;

// How long a client that was told the end may go on sending.
constexpr absl::Duration kHalfCloseTime = absl::Milliseconds(500);

// The selection is of results, which a preview's instance could be one of.
void TrimPreview(const FieldSelection& fields, v1::ObjectPreview* preview) {
  v1::PromptResult result;
  result.add_instances()->Swap(preview->mutable_instance());
  fields.Trim(&result);
  if (result.instances().empty()) result.add_instances();
  preview->mutable_instance()->Swap(result.mutable_instances(0));
}

}  // namespace

void StreamCall::Listen(CompletionLoop& loop, WireService& service,
                        const SegmentationCalls& calls,
                        const StreamRules& rules, CallLog& log,
                        Authenticator* authenticator) {
  std::shared_ptr<StreamCall> call(
      new StreamCall(loop, service, calls, rules, log, authenticator));
  // gRPC never gives this tag back for a call that does not start.
  void* done = CompletionLoop::Tag([call](bool) { call->OnDone(); });
  call->context_.AsyncNotifyWhenDone(done);
  service.RequestSegmentStream(&call->context_, &call->stream_, loop.queue(),
                               loop.queue(),
                               CompletionLoop::Tag([call, done](bool ok) {
                                 if (ok) {
                                   call->OnArrived();
                                 } else {
                                   CompletionLoop::Discard(done);
                                 }
                               }));
}

void StreamCall::OnArrived() {
  Listen(loop_, service_, calls_, rules_, log_, authenticator_);
  auto permit = AdmitCall(context_, RpcMethod::kSegmentStream, authenticator_);
  const absl::MutexLock lock(&mutex_);
  record_.peer = context_.peer();
  record_.opened_at = log_.Now();
  const absl::Status admitted = permit.status();
  record_.admitted = admitted.ok();
  permit_ =
      admitted.ok() ? *std::move(permit) : std::make_shared<const CallPermit>();
  request_context_ = MakeRequestContext(context_, "", permit_->key_id());
  if (!admitted.ok()) {
    Fail(admitted);
  } else if (!done_) {
    first_message_timer_ =
        loop_.PostAfter(calls_.validator().limits().message_timeout,
                        [self = shared_from_this()] { self->OnSilence(); });
  }
  Pump();
}

void StreamCall::OnSilence() {
  const absl::MutexLock lock(&mutex_);
  if (first_message_timer_ == nullptr) return;
  Fail(WithReason(
      absl::DeadlineExceededError("the first message did not come in time"),
      reason::kSlowProducer));
  Pump();
}

void StreamCall::StopTimer() {
  if (first_message_timer_ != nullptr) first_message_timer_->Cancel();
  first_message_timer_ = nullptr;
}

void StreamCall::OnDone() {
  std::shared_ptr<StreamSession> session;
  {
    const absl::MutexLock lock(&mutex_);
    done_ = true;
    StopTimer();
    StopDebtTimer();
    StopConnectionTimer();
    client_gone_ = context_.IsCancelled();
    if (request_context_ != nullptr && client_gone_) {
      request_context_->Cancel();
    }
    if (client_gone_) Fail(absl::CancelledError("the client left"));
    session = std::move(session_);
    Pump();
  }
  // Not under the mutex: it waits for a signal that is under way.
  if (session != nullptr) session->Detach();
}

void StreamCall::OnRead(bool ok) {
  const absl::MutexLock lock(&mutex_);
  read_in_flight_ = false;
  StopTimer();
  if (ok && farewell_timer_ != nullptr) {
    // Too late to be answered.
  } else if (ok) {
    absl::Status status = Receive();
    if (!status.ok()) Fail(std::move(status));
  } else {
    input_ended_ = true;
    if (session_ != nullptr) {
      session_->CloseInput();
    } else {
      Fail(InvalidRequest(
          {{"config", "the first message must be config; there was none"}}));
    }
  }
  Pump();
}

void StreamCall::OnWritten(bool ok) {
  const absl::MutexLock lock(&mutex_);
  write_in_flight_ = false;
  if (!ok) Fail(absl::CancelledError("the client left"));
  Pump();
}

void StreamCall::Wake() {
  if (woken_.exchange(true)) return;
  loop_.Post([self = shared_from_this()] {
    self->woken_ = false;
    const absl::MutexLock lock(&self->mutex_);
    self->Pump();
  });
}

absl::Status StreamCall::Receive() {
  SAM3_RETURN_IF_ERROR(ParseMessage(&incoming_bytes_, &incoming_));
  const auto kind = incoming_.message_case();
  if (session_ == nullptr) {
    if (kind != v1::SegmentStreamRequest::kConfig) {
      return InvalidRequest(
          {{"config", "the first message of a stream must be config"}});
    }
    return Open();
  }
  switch (kind) {
    case v1::SegmentStreamRequest::kConfig:
      return InvalidRequest({{"config", "was sent already"}});
    case v1::SegmentStreamRequest::kFrame:
      return ReceiveFrame();
    case v1::SegmentStreamRequest::kChunk: {
      const auto limit =
          static_cast<size_t>(calls_.validator().limits().max_chunk_bytes);
      if (incoming_.chunk().data().size() > limit) {
        return InvalidRequest(
            {{"chunk.data", absl::StrCat("has more than ", limit, " bytes")}});
      }
      return session_->PushChunk(
          std::move(*incoming_.mutable_chunk()->mutable_data()));
    }
    case v1::SegmentStreamRequest::kPromptUpdate:
      session_->UpdatePrompts(
          calls_.validator().ValidateUpdate(incoming_.prompt_update()));
      return absl::OkStatus();
    case v1::SegmentStreamRequest::MESSAGE_NOT_SET:
      break;
  }
  return InvalidRequest({{"message", "is empty or of an unknown kind"}});
}

absl::Status StreamCall::ReceiveFrame() {
  PushedFrame frame;
  frame.content = std::move(*incoming_.mutable_frame()->mutable_content());
  if (incoming_.frame().has_capture_time()) {
    const auto& time = incoming_.frame().capture_time();
    if (time.seconds() < kFirstSecond || time.seconds() > kLastSecond ||
        time.nanos() < 0 || time.nanos() > 999'999'999) {
      return InvalidRequest({{"frame.capture_time", "is no valid time"}});
    }
    frame.capture_time =
        absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  }
  return session_->PushFrame(std::move(frame));
}

absl::Status StreamCall::Open() {
  std::shared_ptr<ResumeState> resumed;
  if (!incoming_.config().resume_token().empty()) {
    SAM3_ASSIGN_OR_RETURN(ResumeState state,
                          rules_.tokens.TakeOver(request_context_->tenant(),
                                                 incoming_.mutable_config()));
    resumed = std::make_shared<ResumeState>(std::move(state));
  }
  SAM3_ASSIGN_OR_RETURN(StreamConfig config,
                        calls_.validator().ValidateStream(incoming_.config()));
  if (resumed != nullptr) {
    resumed->prompts = config.prompts;
    config.resume = std::move(resumed);
  }
  fields_ = FieldSelection(incoming_.config().fields(),
                           *v1::PromptResult::descriptor());
  SAM3_ASSIGN_OR_RETURN(
      session_,
      calls_.segmenter().OpenStream(std::move(config), request_context_, this));
  WatchConnection();
  return absl::OkStatus();
}

void StreamCall::WatchConnection() {
  if (rules_.connection_time == absl::InfiniteDuration()) return;
  After(rules_.connection_time - 2 * rules_.notice, &StreamCall::TellToGo);
}

void StreamCall::After(absl::Duration delay, void (StreamCall::*act)()) {
  if (done_) return;
  connection_timer_ = loop_.PostAfter(delay, [self = shared_from_this(), act] {
    const absl::MutexLock lock(&self->mutex_);
    if (self->connection_timer_ == nullptr) return;
    self->connection_timer_ = nullptr;
    if (self->session_ != nullptr) (self.get()->*act)();
  });
}

void StreamCall::TellToGo() {
  session_->GoAway(absl::Now() + rules_.notice);
  After(rules_.notice, &StreamCall::EndForConnection);
}

void StreamCall::EndForConnection() {
  session_->Drain(WithRetryAfter(
      WithReason(absl::UnavailableError("the connection has to be replaced"),
                 reason::kDraining),
      absl::ZeroDuration()));
}

void StreamCall::StopConnectionTimer() {
  if (connection_timer_ != nullptr) connection_timer_->Cancel();
  connection_timer_ = nullptr;
}

void StreamCall::Fail(absl::Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

void StreamCall::SettleWithKey() {
  const int64_t pixels = request_context_->pixels();
  permit_->ChargePixels(pixels - charged_pixels_);
  charged_pixels_ = pixels;
  if (authenticator_ == nullptr) return;
  absl::Status good = authenticator_->Recheck(*permit_);
  if (!good.ok()) Fail(std::move(good));
}

void StreamCall::StartRead() {
  // The key's debt slows its streams down as a slow server would. What the
  // stream is to be, somebody waits to know.
  const absl::Duration debt =
      session_ == nullptr ? absl::ZeroDuration() : permit_->PixelDebt();
  if (debt > absl::ZeroDuration()) {
    if (debt_timer_ != nullptr || done_) return;
    debt_timer_ = loop_.PostAfter(debt, [self = shared_from_this()] {
      const absl::MutexLock lock(&self->mutex_);
      self->debt_timer_ = nullptr;
      self->Pump();
    });
    return;
  }
  read_in_flight_ = true;
  stream_.Read(&incoming_bytes_,
               CompletionLoop::Tag(
                   [self = shared_from_this()](bool ok) { self->OnRead(ok); }));
}

void StreamCall::StopDebtTimer() {
  if (debt_timer_ != nullptr) debt_timer_->Cancel();
  debt_timer_ = nullptr;
}

void StreamCall::Pump() {
  if (finished_ || request_context_ == nullptr) return;
  SettleWithKey();
  if (!failure_.ok()) {
    // A write in flight must come back first; a read ends with the call.
    if (!write_in_flight_) Finish(failure_);
    return;
  }
  if (!read_in_flight_ && !input_ended_ &&
      (session_ == nullptr || session_->WantsInput())) {
    StartRead();
  }
  if (session_ == nullptr || write_in_flight_) return;
  std::optional<StreamEvent> event = session_->TakeOutput();
  if (event.has_value()) {
    write_in_flight_ = true;
    v1::SegmentStreamResponse response = ToResponse(*std::move(event));
    if (response.has_result()) {
      ++record_.results;
      fields_.Trim(response.mutable_result()->mutable_result());
    } else if (response.has_preview()) {
      TrimPreview(fields_, response.mutable_preview());
    } else if (response.has_started()) {
      record_.stream_id = response.started().stream_id();
      AddLimits(response.mutable_started()->mutable_limits());
    }
    stream_.Write(SerializeMessage(response),
                  CompletionLoop::Tag([self = shared_from_this()](bool ok) {
                    self->OnWritten(ok);
                  }));
    return;
  }
  const std::optional<absl::Status> end = session_->FinalStatus();
  if (!end.has_value()) return;
  if (ReasonOf(*end) == reason::kDraining && !FarewellIsOver()) return;
  Finish(*end);
}

v1::SegmentStreamResponse StreamCall::ToResponse(StreamEvent event) {
  const std::string& tenant = request_context_->tenant();
  const auto token = [&](const std::shared_ptr<const ResumeState>& state) {
    return state == nullptr ? std::string()
                            : rules_.tokens.Issue(*state, tenant);
  };
  std::string going;
  std::string left;
  if (const auto* away = std::get_if<GoingAway>(&event)) {
    going = token(away->resume);
  } else if (const auto* summary = std::get_if<StreamSummary>(&event)) {
    left = token(summary->resume);
  }
  v1::SegmentStreamResponse response = ToProto(std::move(event));
  if (!going.empty()) {
    response.mutable_going_away()->set_resume_token(std::move(going));
  }
  if (!left.empty()) {
    response.mutable_summary()->set_resume_token(std::move(left));
  }
  return response;
}

bool StreamCall::FarewellIsOver() {
  if (input_ended_ || farewell_over_) return true;
  if (farewell_timer_ == nullptr) {
    farewell_timer_ =
        loop_.PostAfter(kHalfCloseTime, [self = shared_from_this()] {
          const absl::MutexLock lock(&self->mutex_);
          self->farewell_over_ = true;
          self->Pump();
        });
  }
  if (!read_in_flight_) StartRead();
  return false;
}

void StreamCall::AddLimits(v1::StreamStarted::Limits* out) const {
  const ServiceLimits& limits = calls_.validator().limits();
  out->set_max_prompts(limits.max_prompts);
  out->set_max_chunk_size_bytes(limits.max_chunk_bytes);
  out->set_max_frame_pixels(calls_.segmenter().image_limits().max_pixels);
}

void StreamCall::Finish(const absl::Status& status) {
  finished_ = true;
  StopDebtTimer();
  StopConnectionTimer();
  if (farewell_timer_ != nullptr) farewell_timer_->Cancel();
  permit_.reset();
  log_.StreamEnded(record_, status);
  AddRetryPushback(status, &context_);
  stream_.Finish(ToGrpcStatus(status),
                 CompletionLoop::Tag([self = shared_from_this()](bool) {}));
}

}  // namespace sam3
