#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"

namespace sam3 {

// Told by a session that something can go on. Called from any thread, with no
// lock held; must return at once and must not call back into the session.
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  // TakeOutput() may return something, or the stream has finished.
  virtual void OnOutputReady() = 0;
  // WantsInput() turned true.
  virtual void OnInputWanted() = 0;
};

// One video stream between a client and the engine. The RPC holds it shared
// with the frames in flight, detaches before it dies, and results that come
// later vanish.
//
// Threads: any; no call blocks.
// Order: results leave in frame order, whatever order frames finish in.
// Accounting: every frame that came in is answered, dropped with a reason, or
// refused, exactly once, and the last event is a StreamSummary that says so.
class StreamSession {
 public:
  virtual ~StreamSession() = default;

  // True while another PushFrame or PushChunk would be taken without growing
  // any queue. The RPC starts its next read only then: not reading is the
  // back-pressure that reaches the client.
  virtual bool WantsInput() const = 0;

  // INVALID_ARGUMENT when the source is of another kind. A frame that cannot
  // be decoded is no error here: it is refused in the output. So is a frame
  // that comes when a draining server takes no more; other input after the end,
  // whoever ended it, is ignored.
  virtual absl::Status PushFrame(PushedFrame frame) = 0;
  virtual absl::Status PushChunk(std::string bytes) = 0;

  // Takes effect on a later frame, named in a PromptsUpdated event. NOT_FOUND,
  // ALREADY_EXISTS or INVALID_ARGUMENT come back as PromptRejected events. What
  // is asked about given objects is answered by ObjectPreview events.
  virtual void UpdatePrompts(PromptUpdate update) = 0;

  // No more input: what is there is finished, then the summary follows.
  virtual void CloseInput() = 0;

  // Ends the stream soon with `status`; queued frames are dropped as
  // kCancelled, the summary still comes out if anybody reads it.
  virtual void Cancel(absl::Status status) = 0;

  // Tells the client, once, that the stream is served until `until` at most.
  virtual void GoAway(absl::Time until) = 0;

  // Ends the stream with `status` once the frames that came in are answered;
  // what comes later is refused with it.
  virtual void Drain(absl::Status status) = 0;

  // The next event, or nothing yet.
  virtual std::optional<StreamEvent> TakeOutput() = 0;

  // Set once the summary has been taken, or at once when the client left its
  // results unread for too long (SLOW_CONSUMER): how the stream ended.
  virtual std::optional<absl::Status> FinalStatus() const = 0;

  // The listener will not be called any more once this returns; waits for a
  // call that is under way, so the caller must hold no lock that the listener
  // takes. Cancels the stream if it has not finished.
  virtual void Detach() = 0;
};

}  // namespace sam3
