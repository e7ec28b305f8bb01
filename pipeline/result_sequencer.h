#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"

namespace sam3 {

// Puts the outcomes of a stream's frames back into frame order and counts them.
// Every frame gets a ticket when it comes in; the ticket is closed exactly
// once: answered, dropped with a reason, or refused. Outcomes leave in ticket
// order as events; neighbouring drops with one reason leave as one range.
//
// frames_in == answered + dropped + refused + open tickets + ready outcomes
// that nobody took yet, always.
//
// Not thread-safe: its session guards it. Never blocks. Memory is bounded by
// the number of open tickets and untaken outcomes.
class ResultSequencer {
 public:
  // Opens the next ticket and returns its frame index, counting from 0.
  int64_t Open();

  // Close an open ticket; false, and nothing happens, when it is closed
  // already or was never opened.
  bool Answer(int64_t index, std::vector<FrameResult> results,
              size_t size_bytes);
  bool Drop(int64_t index, DropReason reason);
  bool Refuse(int64_t index, absl::Status status);
  void DropAllOpen(DropReason reason);

  // Events that stand between frames leave after everything that was opened
  // before them.
  void Announce(StreamEvent event);

  // The summary, after everything that stands in line; filled in when it is
  // taken, so that it counts all of it.
  void AnnounceSummary() { Announce(StreamSummary{}); }

  // The next event in order, if its turn has come.
  std::optional<StreamEvent> Take();
  bool HasReady() const;

  // Answered frames that nobody took yet.
  size_t unsent_frames() const { return unsent_frames_; }
  size_t unsent_bytes() const { return unsent_bytes_; }
  // Turns the oldest untaken answer into a drop.
  bool DropOldestAnswer(DropReason reason);

  bool all_closed() const { return open_ == 0; }
  int64_t open_tickets() const { return open_; }
  bool empty() const { return slots_.empty() && leaving_.empty(); }
  int64_t frames_in() const { return next_index_; }
  // Frames and announcements that nobody took yet.
  size_t size() const { return slots_.size() + leaving_.size(); }

  // What was taken so far; complete once empty().
  const StreamSummary& summary() const { return summary_; }

 private:
  struct OpenTicket {};
  struct Answered {
    std::vector<FrameResult> results;
    size_t size_bytes = 0;
  };
  struct Slot {
    int64_t index = -1;  // -1 for announcements
    std::variant<OpenTicket, Answered, DropReason, absl::Status, StreamEvent>
        outcome;
  };

  Slot* FindOpen(int64_t index);
  bool Close(int64_t index, decltype(Slot::outcome) outcome);
  void Release();
  void TakeDrops();

  // Oldest first; frame slots have consecutive indexes, announcements between.
  std::deque<Slot> slots_;
  // Events of the outcome that is being taken.
  std::deque<StreamEvent> leaving_;
  int64_t next_index_ = 0;
  int64_t open_ = 0;
  size_t unsent_frames_ = 0;
  size_t unsent_bytes_ = 0;
  StreamSummary summary_;
};

}  // namespace sam3
