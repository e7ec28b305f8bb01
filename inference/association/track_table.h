#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "inference/association/options.h"

namespace sam3 {

// What an object is, or what became of it.
enum class TrackPhase {
  kTentative,  // born, and younger than the confirmation delay
  kConfirmed,  // stands
  kLost,       // stands, but is invisible or long unmatched
  kRecovered,  // only as an event: was lost, stands as confirmed again
  kRetracted,  // only as an event: removed while tentative; it never was
  kEnded,      // only as an event: removed later
};

struct TrackEvent {
  int64_t id = 0;
  int prompt = 0;
  TrackPhase phase = TrackPhase::kTentative;

  bool operator==(const TrackEvent&) const = default;
};

// All that is remembered of one object; bounded, however long it lives.
struct Track {
  int prompt = 0;
  int64_t birth_frame = 0;
  // Of the detection that it was born from.
  float birth_score = 0;
  int keep_alive = 0;
  int64_t unmatched_frames = 0;
  // Consecutive frames up to now on which it was invisible or long unmatched.
  int64_t lost_frames = 0;
  // Absent until its first propagation; kNeverOccluded when it never was.
  std::optional<int64_t> last_occluded_frame;
  // Frames on which one detection matched this object and the one born before
  // it whose id is the key. Kept while they can remove anything.
  std::map<int64_t, int> duplicate_frames;
  // kTentative, kConfirmed or kLost.
  TrackPhase phase = TrackPhase::kTentative;
};

// What one frame showed of the tracks; vectors hold ids.
struct FrameObservations {
  int64_t frame = 0;
  // For every detection, what it matched, ascending.
  std::vector<std::vector<int64_t>> matched_together;
  // Visible, but not overlapped enough by any detection.
  std::vector<int64_t> unmatched;
  // Without a mask.
  std::vector<int64_t> empty;
};

// The objects that one stream follows, of all its prompts. Ids start at 0,
// ascend, and are never used again; everything is listed in their order.
//
// Threads: one, the stream's owner; never blocks. Ids that are not in the table
// are a bug of the caller.
class TrackTable {
 public:
  // `options` must have been validated.
  explicit TrackTable(const AssociationOptions& options) : options_(options) {}

  const AssociationOptions& options() const { return options_; }
  size_t size() const { return tracks_.size(); }
  std::vector<int64_t> ids() const;
  bool Contains(int64_t id) const { return tracks_.contains(id); }
  const Track& at(int64_t id) const;

  // Takes over an object of another table, before the first frame. A tentative
  // one is as young as if it were born on that frame, the others are too old
  // for what is done to young ones; all other counters start anew.
  void Restore(int64_t id, int prompt, float score, TrackPhase phase);
  // Ids below `next` are taken.
  void StartIdsAt(int64_t next);

  // The new object's id.
  int64_t Add(int64_t frame, int prompt, float score,
              std::vector<TrackEvent>* events);

  // Updates keep-alive, unmatched and duplicate counters. Of tracks that one
  // detection matched, the elder is the one with the earliest birth frame, at
  // equal frames the lowest id.
  void Count(const FrameObservations& seen);

  // Young objects that the counters have found false.
  std::vector<int64_t> FalseInHotstart(int64_t frame) const;

  // Whether an object is to be left out of the answers for its keep-alive.
  bool Hidden(int64_t id) const;

  void SetLastOccluded(int64_t id, int64_t frame);

  // Moves an object to its phase on this frame, once a frame and after Count():
  // first a confirmation that is due, then lost or recovered. Returns whether
  // it has now been lost for so long that it is to be removed.
  bool Advance(int64_t frame, int64_t id, bool visible,
               std::vector<TrackEvent>* events);

  void Remove(int64_t id, std::vector<TrackEvent>* events);

  // Removes all objects of a prompt that is no longer asked for.
  std::vector<TrackEvent> RemovePrompt(int prompt);

 private:
  Track& Mutable(int64_t id);
  bool InHotstart(const Track& track, int64_t frame) const;
  void CountDuplicates(absl::Span<const int64_t> matched, int64_t frame);

  AssociationOptions options_;
  int64_t next_id_ = 0;
  int64_t last_frame_ = -1;
  std::map<int64_t, Track> tracks_;
};

}  // namespace sam3
