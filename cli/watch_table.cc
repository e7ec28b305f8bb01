#include "cli/watch_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "cli/output.h"
#include "cli/terminal_text.h"

namespace sam3 {
namespace {

constexpr size_t kMaxEvents = 5;
// Of what nobody takes.
constexpr size_t kMaxNews = 1000;
constexpr absl::Duration kRateWindow = absl::Seconds(5);
// More answers than any window needs.
constexpr size_t kMaxAnswers = 1024;
// Columns of a row besides the prompt's, and where the prompt has room.
constexpr int kFixedColumns = 68;
constexpr int kMinLabelColumns = 8;
constexpr int kMaxLabelColumns = 32;

std::string Seconds(absl::Duration duration) {
  return absl::StrFormat("%.1f s", absl::ToDoubleSeconds(duration));
}

// "lost" for OBJECT_STATE_LOST.
std::string StateName(v1::ObjectState state) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::ObjectState_Name(state), "OBJECT_STATE_"));
}

// As --box takes it: left, top, width, height.
std::string BoxText(const v1::Box& box) {
  const v1::Box::Xyxy& corners = box.xyxy();
  return absl::StrFormat("%.0f,%.0f,%.0f,%.0f", corners.x0(), corners.y0(),
                         corners.x1() - corners.x0(),
                         corners.y1() - corners.y0());
}

int LabelColumns(int width) {
  return std::clamp(width - kFixedColumns, kMinLabelColumns, kMaxLabelColumns);
}

}  // namespace

WatchTable::WatchTable(std::string source, std::vector<std::string> labels)
    : source_(std::move(source)), labels_(std::move(labels)) {}

void WatchTable::Take(const v1::SegmentStreamResponse& message,
                      absl::Time now) {
  begin_ = std::min(begin_, now);
  if (message.has_result()) TakeResult(message.result(), now);
  if (message.has_source_event()) TakeSource(message.source_event());
  if (message.has_dropped()) {
    dropped_ += message.dropped().last_frame_index() -
                message.dropped().first_frame_index() + 1;
  }
  if (message.has_refused()) ++refused_;
  if (message.has_rejected()) {
    AddNews(absl::StrCat("prompt ", message.rejected().prompt_id(), ": ",
                         message.rejected().status().message()));
  }
  if (message.has_going_away()) AddNews("the server is about to stop");
}

void WatchTable::TakeResult(const v1::FrameResult& result, absl::Time now) {
  frame_index_ = result.frame_index();
  offset_ = ToDuration(result.start_offset());
  if (state_ == "opening") state_ = "playing";
  size_ = absl::StrCat(result.width_px(), " x ", result.height_px());
  const auto index = static_cast<size_t>(result.result().prompt_index());
  const std::string label =
      labels_.empty() ? "" : labels_[std::min(index, labels_.size() - 1)];
  for (const v1::Instance& instance : result.result().instances()) {
    if (!instance.has_object_id()) continue;
    const auto [row, is_new] = rows_.try_emplace(instance.object_id());
    if (is_new) {
      row->second.first_seen = offset_;
      ++objects_;
    }
    row->second.label = label;
    row->second.state = instance.state();
    row->second.score = instance.score();
    row->second.box = instance.box();
    row->second.last_seen = offset_;
  }
  for (const v1::ObjectEvent& event : result.object_events()) {
    TakeEvent(event, label);
  }
  if (!result.last_in_frame()) return;
  ++answered_;
  answers_.push_back(now);
  if (answers_.size() > kMaxAnswers) answers_.pop_front();
}

void WatchTable::TakeEvent(const v1::ObjectEvent& event,
                           const std::string& label) {
  const auto row = rows_.find(event.object_id());
  const bool known = row != rows_.end();
  AddNews(absl::StrCat("#", event.object_id(), " ",
                       known ? row->second.label : label, " ",
                       StateName(event.state())));
  if (!known) return;
  switch (event.state()) {
    case v1::OBJECT_STATE_RETRACTED:
    case v1::OBJECT_STATE_ENDED:
      rows_.erase(row);
      break;
    case v1::OBJECT_STATE_RECOVERED:
      row->second.state = v1::OBJECT_STATE_CONFIRMED;
      break;
    default:
      row->second.state = event.state();
  }
}

void WatchTable::TakeSource(const v1::SourceEvent& event) {
  switch (event.kind()) {
    case v1::SourceEvent::KIND_STALLED:
      state_ = "stalled";
      break;
    case v1::SourceEvent::KIND_RECONNECTING:
      state_ = absl::StrFormat(
          "reconnecting, attempt %d (%s)", event.attempt(),
          absl::AsciiStrToLower(absl::StripPrefix(
              v1::SourceEvent::Failure_Name(event.failure()), "FAILURE_")));
      break;
    case v1::SourceEvent::KIND_OPENED:
    case v1::SourceEvent::KIND_BACK:
      state_ = "playing";
      break;
    case v1::SourceEvent::KIND_ENDED:
      state_ = "ended";
      break;
    default:
      break;
  }
  if (!event.message().empty()) AddNews(event.message());
}

void WatchTable::AddNews(std::string line) {
  line = absl::StrFormat("%8s  %s", Seconds(offset_), line);
  events_.push_back(line);
  if (events_.size() > kMaxEvents) events_.pop_front();
  if (news_.size() < kMaxNews) news_.push_back(std::move(line));
}

std::vector<std::string> WatchTable::TakeNews() {
  return std::exchange(news_, {});
}

double WatchTable::AnsweredPerSecond(absl::Time now) const {
  const absl::Time from = std::max(begin_, now - kRateWindow);
  const auto recent =
      std::count_if(answers_.begin(), answers_.end(),
                    [from](absl::Time answered) { return answered > from; });
  return static_cast<double>(recent) /
         std::max(absl::ToDoubleSeconds(now - from), 1.0);
}

std::string WatchTable::Status(absl::Time now) const {
  return absl::StrFormat("%s  frame %d  %s  %.1f/s  %d dropped  %d object%s",
                         state_, frame_index_ + 1, Seconds(offset_),
                         AnsweredPerSecond(now), dropped_, rows_.size(),
                         rows_.size() == 1 ? "" : "s");
}

std::string WatchTable::Summary(absl::Time now) const {
  const double seconds =
      std::max(begin_ < now ? absl::ToDoubleSeconds(now - begin_) : 0.0, 1e-3);
  return absl::StrFormat(
      "%d frames answered, %.1f/s, %d dropped, %d refused; %d object%s in %s "
      "of video",
      answered_, static_cast<double>(answered_) / seconds, dropped_, refused_,
      objects_, objects_ == 1 ? "" : "s", Seconds(offset_));
}

std::string WatchTable::RowText(int64_t id, const Row& row, int width) const {
  const absl::Duration unseen = offset_ - row.last_seen;
  return absl::StrFormat(
      "%5s  %s  %-9s  %5.2f  %8s  %-10s  %s", absl::StrCat("#", id),
      PadColumns(row.label, LabelColumns(width)), StateName(row.state),
      row.score, Seconds(offset_ - row.first_seen),
      unseen == absl::ZeroDuration() ? "now" : Seconds(unseen) + " ago",
      BoxText(row.box));
}

std::vector<std::string> WatchTable::Lines(int width, int height,
                                           absl::Time now) const {
  std::vector<std::string> lines = {
      size_.empty() ? source_ : absl::StrCat(source_, "  ", size_), Status(now),
      absl::StrFormat("%5s  %s  %-9s  %5s  %8s  %-10s  %s", "id",
                      PadColumns("prompt", LabelColumns(width)), "state",
                      "score", "age", "seen", "x,y,width,height")};
  const int room = std::max(height - static_cast<int>(lines.size()), 0);
  const auto rows = static_cast<int>(rows_.size());
  // A row must go to tell how many there are more.
  const int shown = rows <= room ? rows : std::max(room - 1, 0);
  auto row = rows_.begin();
  for (int i = 0; i < shown; ++i, ++row) {
    lines.push_back(RowText(row->first, row->second, width));
  }
  if (shown < rows)
    lines.push_back(absl::StrCat("  and ", rows - shown, " more"));
  // An empty line goes before what happened.
  const int left = height - static_cast<int>(lines.size()) - 1;
  if (left > 0 && !events_.empty()) {
    lines.emplace_back();
    const size_t count = std::min(events_.size(), static_cast<size_t>(left));
    lines.insert(lines.end(), events_.end() - static_cast<int64_t>(count),
                 events_.end());
  }
  if (static_cast<int>(lines.size()) > height) {
    lines.resize(static_cast<size_t>(std::max(height, 0)));
  }
  for (std::string& line : lines) line = FitColumns(line, width);
  return lines;
}

}  // namespace sam3
