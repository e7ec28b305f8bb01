#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "inference/given_objects.h"
#include "pipeline/given_object.h"
#include "pipeline/stream_events.h"

namespace sam3 {

// What the client of one stream has said of its objects and the engine has not
// been told yet: changes, which wait for their frame, and questions, which wait
// for a frame that their object was on. The engine hears of a change again with
// the next frame when a frame fails.
//
// Not thread-safe: its session guards it. Never blocks. What a client says in
// vain comes back as PromptRejected: NOT_FOUND for objects that the stream does
// not have and for questions that no frame can answer any more,
// INVALID_ARGUMENT for one too many and for what does not lie on the frame,
// and why there is no room for a new one.
class ObjectLedger {
 public:
  // A batch of questions about one frame.
  struct Asked {
    int64_t frame_index = 0;
    int width = 0;
    int height = 0;
    std::vector<ObjectQuestion> questions;
  };

  // `first` are effective from the first frame on.
  ObjectLedger(std::vector<GivenObject> first, int max_objects);

  // Takes what `update` says of objects, effective from `frame_index` on. New
  // ones are refused with `room` unless that is OK.
  std::vector<PromptRejected> Update(PromptUpdate update, int64_t frame_index,
                                     const absl::Status& room);

  // What the engine is to be told with a frame of width x height pixels, but
  // for the tracks and the picture. Frames are told in order, one at a time,
  // each of which is Analysed() or has failed before the next.
  FollowItem Tell(int64_t frame_index, int width, int height,
                  std::vector<PromptRejected>* rejected);
  void Analysed(int64_t frame_index, int width, int height);

  // Questions that were not taken yet.
  size_t question_count() const { return questions_.size(); }
  // Whether TakeQuestions() would find any.
  bool QuestionsReady() const;
  // Those that can be answered on the newest frame, 16 at a time in the order
  // in which they came; none when all that were ready lie beside it.
  std::optional<Asked> TakeQuestions(std::vector<PromptRejected>* rejected);
  // No frame will come any more.
  std::vector<PromptRejected> RefuseQuestions();

 private:
  struct Change {
    int64_t frame_index = 0;
    std::set<int64_t> drop;
    std::map<int64_t, GivenObject> describe;
  };
  struct Question {
    GivenObject object;
    bool commit = false;
  };
  struct Newest {
    int64_t frame_index = 0;
    int width = 0;
    int height = 0;
  };

  void Drop(int64_t id, Change* change, std::vector<PromptRejected>* rejected);
  void Describe(GivenObject object, const absl::Status& room, Change* change,
                std::vector<PromptRejected>* rejected);
  void Ask(std::vector<GivenObject> objects, bool commit,
           std::vector<PromptRejected>* rejected);
  // All changes up to `frame_index` as one.
  Change MergedUpTo(int64_t frame_index);
  void RefuseOrphans(std::vector<PromptRejected>* rejected);

  const size_t max_objects_;
  // Objects that were given and not dropped, as far as the client has said.
  std::set<int64_t> given_;
  // Those that the engine follows.
  std::set<int64_t> followed_;
  std::deque<Change> changes_;  // by frame
  bool told_ = false;           // the first of the changes
  std::deque<Question> questions_;
  std::optional<Newest> newest_;
};

}  // namespace sam3
