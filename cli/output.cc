#include "cli/output.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sam3 {

std::string ToJson(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}";
}

std::string ScoreList(const v1::PromptResult& result) {
  if (result.instances().empty()) {
    return absl::StrFormat(" (presence %.2f)", result.presence_score());
  }
  return absl::StrCat(
      " (",
      absl::StrJoin(result.instances(), ", ",
                    [](std::string* out, const v1::Instance& instance) {
                      if (instance.has_object_id()) {
                        absl::StrAppend(out, "#", instance.object_id(), " ");
                      }
                      absl::StrAppendFormat(out, "%.2f", instance.score());
                      if (instance.state() == v1::OBJECT_STATE_TENTATIVE) {
                        absl::StrAppend(out, "?");
                      } else if (instance.state() == v1::OBJECT_STATE_LOST) {
                        absl::StrAppend(out, " lost");
                      }
                    }),
      ")");
}

double Milliseconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) * 1e3 +
         static_cast<double>(duration.nanos()) * 1e-6;
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

int Complain(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "sam3ctl: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { Clear(); }

void ProgressLine::Clear() {
  if (drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressLine::Note(const std::string& text) {
  Clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressLine::Show(int64_t done, int64_t total, const std::string& text) {
  if (!terminal_) return;
  drawn_ = true;
  constexpr int kWidth = 24;
  std::string bar;
  if (total > 0) {
    const auto filled =
        static_cast<int>(std::min<int64_t>(kWidth, kWidth * done / total));
    bar = absl::StrCat("[", std::string(static_cast<size_t>(filled), '#'),
                       std::string(static_cast<size_t>(kWidth - filled), '.'),
                       "] ");
  }
  std::fprintf(stderr, "\r\033[K%s%s", bar.c_str(), text.c_str());
  std::fflush(stderr);
}

}  // namespace sam3
