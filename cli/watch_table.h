#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// What a stream that follows objects has come to, as lines of text: where the
// source stands, the objects that are followed now, and the last things that
// happened. Remembers nothing of objects that are gone but their number.
//
// Text is as it came: whoever shows a line by itself fits it to the terminal,
// as Lines() does.
//
// Not thread-safe; never blocks.
class WatchTable {
 public:
  // `labels` of the prompts, in their order.
  WatchTable(std::string source, std::vector<std::string> labels);

  // The stream's next message, which came at `now`.
  void Take(const v1::SegmentStreamResponse& message, absl::Time now);

  // The whole table, at most `height` lines of at most `width` columns. Objects
  // that there is no room for are counted; what happened gives way to objects.
  std::vector<std::string> Lines(int width, int height, absl::Time now) const;

  // One line: where the stream stands.
  std::string Status(absl::Time now) const;

  // What has happened since the last call, a line each.
  std::vector<std::string> TakeNews();

  // Whether there is anything to tell.
  bool started() const { return begin_ != absl::InfiniteFuture(); }

  // One line: what it came to in all.
  std::string Summary(absl::Time now) const;

 private:
  struct Row {
    std::string label;
    v1::ObjectState state = v1::OBJECT_STATE_UNSPECIFIED;
    float score = 0;
    v1::Box box;
    // Media times.
    absl::Duration first_seen;
    absl::Duration last_seen;
  };

  void TakeResult(const v1::FrameResult& result, absl::Time now);
  void TakeEvent(const v1::ObjectEvent& event, const std::string& label);
  void TakeSource(const v1::SourceEvent& event);
  void AddNews(std::string line);
  double AnsweredPerSecond(absl::Time now) const;
  std::string RowText(int64_t id, const Row& row, int width) const;

  const std::string source_;
  const std::vector<std::string> labels_;
  // By object id.
  std::map<int64_t, Row> rows_;
  std::string size_;
  std::string state_ = "opening";
  int64_t frame_index_ = -1;
  absl::Duration offset_;
  int64_t answered_ = 0;
  int64_t dropped_ = 0;
  int64_t refused_ = 0;
  int64_t objects_ = 0;
  absl::Time begin_ = absl::InfiniteFuture();
  // When the last frames were answered.
  std::deque<absl::Time> answers_;
  // The last things that happened, and those that nobody has taken yet.
  std::deque<std::string> events_;
  std::vector<std::string> news_;
};

}  // namespace sam3
