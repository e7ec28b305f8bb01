#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "sam3/v1/result.pb.h"

namespace sam3 {

// Exit statuses.
inline constexpr int kWrongUsage = 2;
inline constexpr int kServerRefused = 3;
inline constexpr int kServerFailed = 4;
inline constexpr int kUnreachable = 5;

// The message's JSON (lowerCamelCase), on one line or indented.
std::string ToJson(const google::protobuf::Message& message, bool indented);

// " (0.97, 0.95)": what was found, best first; the presence when nothing was.
// Of followed objects " (#0 0.97, #3 0.95?, #4 0.02 lost)", by id, tentative
// ones in question.
std::string ScoreList(const v1::PromptResult& result);

double Milliseconds(const google::protobuf::Duration& duration);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

// "sam3ctl: message" to standard error; returns `exit_status`.
int Complain(const absl::Status& status, int exit_status);

// A line that is drawn over itself while something lasts; silent where standard
// error is no terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  // `total` may be 0 when nobody knows it.
  void Show(int64_t done, int64_t total, const std::string& text);
  // Takes the line away until the next Show().
  void Clear();
  // A line that stays, above the progress; also where there is no terminal.
  void Note(const std::string& text);

 private:
  const bool terminal_;
  bool drawn_ = false;
};

}  // namespace sam3
