#include "pipeline/result_sequencer.h"

#include <algorithm>

namespace sam3 {

int64_t ResultSequencer::Open() {
  slots_.push_back({next_index_, OpenTicket{}});
  ++open_;
  ++summary_.frames_in;
  return next_index_++;
}

bool ResultSequencer::Answer(int64_t index, std::vector<FrameResult> results,
                             size_t size_bytes) {
  if (!Close(index, Answered{std::move(results), size_bytes})) return false;
  ++unsent_frames_;
  unsent_bytes_ += size_bytes;
  return true;
}

bool ResultSequencer::Drop(int64_t index, DropReason reason) {
  return Close(index, reason);
}

bool ResultSequencer::Refuse(int64_t index, absl::Status status) {
  return Close(index, std::move(status));
}

void ResultSequencer::DropAllOpen(DropReason reason) {
  for (Slot& slot : slots_) {
    if (std::holds_alternative<OpenTicket>(slot.outcome)) slot.outcome = reason;
  }
  open_ = 0;
}

void ResultSequencer::Announce(StreamEvent event) {
  slots_.push_back({-1, std::move(event)});
}

bool ResultSequencer::HasReady() const {
  return !leaving_.empty() ||
         (!slots_.empty() &&
          !std::holds_alternative<OpenTicket>(slots_.front().outcome));
}

std::optional<StreamEvent> ResultSequencer::Take() {
  while (leaving_.empty() && HasReady()) Release();
  if (leaving_.empty()) return std::nullopt;
  StreamEvent event = std::move(leaving_.front());
  leaving_.pop_front();
  return event;
}

bool ResultSequencer::DropOldestAnswer(DropReason reason) {
  for (Slot& slot : slots_) {
    if (const auto* answered = std::get_if<Answered>(&slot.outcome)) {
      --unsent_frames_;
      unsent_bytes_ -= answered->size_bytes;
      slot.outcome = reason;
      return true;
    }
  }
  return false;
}

ResultSequencer::Slot* ResultSequencer::FindOpen(int64_t index) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(),
                   [index](const Slot& slot) { return slot.index == index; });
  if (found == slots_.end() ||
      !std::holds_alternative<OpenTicket>(found->outcome)) {
    return nullptr;
  }
  return &*found;
}

bool ResultSequencer::Close(int64_t index, decltype(Slot::outcome) outcome) {
  Slot* slot = FindOpen(index);
  if (slot == nullptr) return false;
  slot->outcome = std::move(outcome);
  --open_;
  return true;
}

void ResultSequencer::Release() {
  if (std::holds_alternative<DropReason>(slots_.front().outcome)) {
    return TakeDrops();
  }
  Slot slot = std::move(slots_.front());
  slots_.pop_front();
  if (auto* answered = std::get_if<Answered>(&slot.outcome)) {
    ++summary_.answered;
    --unsent_frames_;
    unsent_bytes_ -= answered->size_bytes;
    for (FrameResult& result : answered->results) {
      leaving_.emplace_back(std::move(result));
    }
  } else if (auto* status = std::get_if<absl::Status>(&slot.outcome)) {
    ++summary_.refused;
    leaving_.emplace_back(FrameRefused{slot.index, std::move(*status)});
  } else {
    StreamEvent& event = std::get<StreamEvent>(slot.outcome);
    if (std::holds_alternative<StreamSummary>(event)) event = summary_;
    leaving_.push_back(std::move(event));
  }
}

void ResultSequencer::TakeDrops() {
  const DropReason reason = std::get<DropReason>(slots_.front().outcome);
  FramesDropped range{slots_.front().index, slots_.front().index, reason};
  while (!slots_.empty()) {
    const auto* next = std::get_if<DropReason>(&slots_.front().outcome);
    if (next == nullptr || *next != reason) break;
    range.last_index = slots_.front().index;
    ++summary_.dropped[reason];
    slots_.pop_front();
  }
  leaving_.emplace_back(range);
}

}  // namespace sam3
