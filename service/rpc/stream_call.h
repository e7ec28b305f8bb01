#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "pipeline/stream_session.h"
#include "service/field_selection.h"
#include "service/keys/authenticator.h"
#include "service/resume_tokens.h"
#include "service/rpc/call_log.h"
#include "service/rpc/completion_loop.h"
#include "service/rpc/wire.h"
#include "service/segmentation_calls.h"

namespace sam3 {

// What holds for every stream of a server.
struct StreamRules {
  const ResumeTokens& tokens;
  // A connection may be cut so long after a call has come in on it. Streams are
  // told twice `notice` before, and end `notice` before, so that none of their
  // results is lost.
  absl::Duration connection_time = absl::InfiniteDuration();
  absl::Duration notice = absl::Seconds(30);
};

// One SegmentStream RPC: carries messages between the client and a session. At
// most one read and one write are in flight; the next read starts only when the
// session wants input, which is the back-pressure that reaches the client; the
// next write starts when the last one is done.
//
// Threads: continuations run on the loop's pollers and hold the mutex. The
// session's signals come from any thread and are only passed on to the loop, so
// that the session may be called while the mutex is held.
// gRPC's Finish is started in one place, Finish().
class StreamCall final : public StreamListener,
                         public std::enable_shared_from_this<StreamCall> {
 public:
  // Borrowed objects must outlive the call.
  static void Listen(CompletionLoop& loop, WireService& service,
                     const SegmentationCalls& calls, const StreamRules& rules,
                     CallLog& log, Authenticator* authenticator);

  // StreamListener.
  void OnOutputReady() override { Wake(); }
  void OnInputWanted() override { Wake(); }

 private:
  StreamCall(CompletionLoop& loop, WireService& service,
             const SegmentationCalls& calls, const StreamRules& rules,
             CallLog& log, Authenticator* authenticator)
      : loop_(loop),
        presence_(loop),
        service_(service),
        calls_(calls),
        rules_(rules),
        log_(log),
        authenticator_(authenticator),
        stream_(&context_) {}

  void OnArrived();
  void OnDone();
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnSilence();
  void Wake();

  absl::Status Receive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReceiveFrame() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the stream before its connection does: tells it, later stops it.
  void WatchConnection() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void After(absl::Duration delay, void (StreamCall::*act)())
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellToGo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndForConnection() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopConnectionTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::SegmentStreamResponse ToResponse(StreamEvent event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddLimits(v1::StreamStarted::Limits* out) const;
  // Starts whatever can be started.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False while the stream of a server that shuts down reads on, and drops what
  // it reads, until the client has seen the last message and sends no more: a
  // connection that is closed with messages unread takes with it what was
  // written last.
  bool FarewellIsOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Charges what was decoded since the last time; the key must still be good.
  void SettleWithKey() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopDebtTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the call once nothing is in flight that must end first.
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CompletionLoop& loop_;
  const CompletionLoop::Presence presence_;
  WireService& service_;
  const SegmentationCalls& calls_;
  const StreamRules& rules_;
  CallLog& log_;
  Authenticator* const authenticator_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_;
  std::atomic<bool> woken_{false};

  absl::Mutex mutex_;
  std::shared_ptr<StreamSession> session_ ABSL_GUARDED_BY(mutex_);
  // Held from the moment that the call was let in until it ends.
  std::shared_ptr<const CallPermit> permit_ ABSL_GUARDED_BY(mutex_);
  int64_t charged_pixels_ ABSL_GUARDED_BY(mutex_) = 0;
  // Set while the key's pixels have to be paid before more are read.
  std::shared_ptr<grpc::Alarm> debt_timer_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RequestContext> request_context_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer incoming_bytes_ ABSL_GUARDED_BY(mutex_);
  v1::SegmentStreamRequest incoming_ ABSL_GUARDED_BY(mutex_);
  CallLog::StreamRecord record_ ABSL_GUARDED_BY(mutex_);
  // What the client wants of each PromptResult.
  FieldSelection fields_ ABSL_GUARDED_BY(mutex_);
  bool read_in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool input_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool client_gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  // Set while the first message is waited for.
  std::shared_ptr<grpc::Alarm> first_message_timer_ ABSL_GUARDED_BY(mutex_);
  // Set while the connection's time runs.
  std::shared_ptr<grpc::Alarm> connection_timer_ ABSL_GUARDED_BY(mutex_);
  // Set while the client is given time to see the end.
  std::shared_ptr<grpc::Alarm> farewell_timer_ ABSL_GUARDED_BY(mutex_);
  bool farewell_over_ ABSL_GUARDED_BY(mutex_) = false;
  // Set when the call is to end with an error, whatever the session has left.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sam3
