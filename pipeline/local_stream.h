#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pipeline/admission.h"
#include "pipeline/detector_pace.h"
#include "pipeline/followed_objects.h"
#include "pipeline/frame_mailbox.h"
#include "pipeline/frame_sampler.h"
#include "pipeline/job.h"
#include "pipeline/listener_gate.h"
#include "pipeline/object_ledger.h"
#include "pipeline/pipeline_core.h"
#include "pipeline/request_context.h"
#include "pipeline/result_sequencer.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"
#include "pipeline/stream_session.h"
#include "pipeline/stream_turns.h"
#include "pipeline/video_reader.h"

namespace sam3 {

// A stream that runs on this process's engine. Frames come in by PushFrame
// (decoded on the decode pool, one at a time) or from a VideoReader's thread;
// they wait in a mailbox until a turn of this stream on the device comes up,
// and what was found leaves through the sequencer.
//
// Threads: any, see StreamSession. One mutex guards everything; it is never
// held while the engine, a pool, a source or the listener is called.
// Ownership: the registry, the RPC and the turns on the device share it.
class LocalStream final : public StreamSession,
                          public FrameSink,
                          public std::enable_shared_from_this<LocalStream> {
 public:
  LocalStream(PipelineCore& core, uint64_t number, StreamConfig config,
              std::shared_ptr<RequestContext> context, StreamListener* listener,
              std::unique_ptr<Admission::Ticket> ticket);
  ~LocalStream() override;

  // Announces the stream and starts its source.
  absl::Status Start();

  // StreamSession.
  bool WantsInput() const override;
  absl::Status PushFrame(PushedFrame frame) override;
  absl::Status PushChunk(std::string bytes) override;
  void UpdatePrompts(PromptUpdate update) override;
  void CloseInput() override;
  void Cancel(absl::Status status) override;
  std::optional<StreamEvent> TakeOutput() override;
  std::optional<absl::Status> FinalStatus() const override;
  void GoAway(absl::Time until) override;
  void Drain(absl::Status status) override;
  void Detach() override;

  // Called every now and then: heartbeats, clients that do not read.
  void Tick(absl::Time now);

  // Nobody needs it: detached, its source ended, no frame on the device.
  bool Reapable() const;

  // FrameSink, for the reader's thread.
  void SourceOpened(const SourceFacts& facts) override;
  bool Publish(DecodedFrame frame) override;
  void ReportSource(SourceEvent event) override;
  void SourceEnded(absl::Status status) override;

 private:
  class Turn;

  // The next pushed frame that waits for decoding, with its ticket.
  struct Encoded {
    int64_t index = 0;
    PushedFrame frame;
    std::shared_ptr<const std::vector<ConceptPrompt>> prompts;
  };

  // What a turn is about; nothing when there was nothing left to do.
  struct Claimed {
    bool asks = false;  // questions, not a frame
    std::optional<VideoFrame> frame;
    std::optional<ObjectLedger::Asked> asked;
  };

  absl::Status StartTracks();
  std::optional<ResumedFrom> TakenOver() const;
  // What another stream can go on with; null before anybody is told to go.
  std::shared_ptr<const ResumeState> Leftover() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DecodeNext();
  // A turn's part on the device thread and after it.
  std::optional<EngineInput> TakeTurn(Claimed* claimed);
  std::optional<EngineInput> TakeConcepts(std::optional<VideoFrame>* frame);
  std::optional<EngineInput> TakeObjects(const VideoFrame& frame);
  void FinishTurn(Claimed claimed, absl::StatusOr<EngineOutput> output);
  void EncodeFrame(VideoFrame frame, const EngineOutput& output);
  void EncodeAnswers(const ObjectLedger::Asked& asked,
                     const EngineOutput& output);
  void RefuseAnswers(const ObjectLedger::Asked& asked,
                     const absl::Status& status);

  StreamTurns::Claim ClaimTurns() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void QueueTurns(const StreamTurns::Claim& turns) ABSL_LOCKS_EXCLUDED(mutex_);
  void PutFrame(VideoFrame frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(DropReason reason, int64_t frames = 1);
  void CancelLocked(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Queues an event; not after the summary, which is the last one.
  void Announce(StreamEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool OutputReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AnnounceAll(std::vector<PromptRejected> rejected)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateConcepts(PromptUpdate) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateObjects(PromptUpdate update) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool QuestionsReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why a prompt cannot join the others, if so.
  absl::Status CheckAdded(const ConceptPrompt& prompt,
                          const std::vector<ConceptPrompt>& others) const;
  absl::string_view SourceField() const;  // that the reader's bytes come from
  // Marks the first result behind a gap, and the others of its frame.
  void MarkGap(FrameResult* result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why a pushed frame is not taken, if so.
  absl::Status CheckFrame(const PushedFrame&) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool InputRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool RoomOrCancelled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CreditLeft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShedUnsent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SummarizeIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the listener and queues turns; the end of every public call.
  void Proceed() ABSL_LOCKS_EXCLUDED(mutex_);

  PipelineCore& core_;
  const uint64_t number_;
  const StreamConfig config_;
  const std::shared_ptr<RequestContext> context_;
  const int mask_size_;  // the model's
  ListenerGate listener_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<Admission::Ticket> ticket_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const std::vector<ConceptPrompt>> prompts_
      ABSL_GUARDED_BY(mutex_);
  // Where the client gives the objects.
  std::optional<ObjectLedger> objects_ ABSL_GUARDED_BY(mutex_);
  // Questions on the device or being encoded, and answers that nobody took yet.
  size_t questions_out_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t untaken_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  FrameSampler sampler_ ABSL_GUARDED_BY(mutex_);
  int next_prompt_number_ ABSL_GUARDED_BY(mutex_);
  DetectorPace detector_pace_ ABSL_GUARDED_BY(mutex_);
  std::deque<Encoded> encoded_ ABSL_GUARDED_BY(mutex_);
  bool decoding_ ABSL_GUARDED_BY(mutex_) = false;
  FrameMailbox mailbox_ ABSL_GUARDED_BY(mutex_);
  ResultSequencer sequencer_ ABSL_GUARDED_BY(mutex_);
  StreamTurns turns_ ABSL_GUARDED_BY(mutex_);
  bool input_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool source_running_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool summarized_ ABSL_GUARDED_BY(mutex_) = false;
  bool summary_taken_ ABSL_GUARDED_BY(mutex_) = false;
  bool detached_ ABSL_GUARDED_BY(mutex_) = false;
  bool input_was_wanted_ ABSL_GUARDED_BY(mutex_) = true;
  std::optional<absl::Time> first_arrival_ ABSL_GUARDED_BY(mutex_);
  // Frames that the source began anew with, up to the next result; and the
  // frame that was last told to be behind a gap.
  std::deque<int64_t> gaps_ ABSL_GUARDED_BY(mutex_);
  int64_t marked_frame_ ABSL_GUARDED_BY(mutex_) = -1;
  // What StreamStarted says of the source; nothing leaves before it is set.
  std::optional<SourceFacts> facts_ ABSL_GUARDED_BY(mutex_);
  bool started_taken_ ABSL_GUARDED_BY(mutex_) = false;
  // Set while the client is to be told until when it is served.
  std::optional<absl::Time> going_away_ ABSL_GUARDED_BY(mutex_);
  bool told_to_go_ ABSL_GUARDED_BY(mutex_) = false;
  FollowedObjects followed_ ABSL_GUARDED_BY(mutex_);
  // How the stream will end; OK unless something says otherwise.
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_output_ ABSL_GUARDED_BY(mutex_);
  // Since when the client has left ready output unread.
  absl::Time unread_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool heartbeat_due_ ABSL_GUARDED_BY(mutex_) = false;

  // Written once by Start(), before any frame can come.
  std::unique_ptr<VideoReader> reader_;
  TrackedMemory::Share tracked_;
};

}  // namespace sam3
