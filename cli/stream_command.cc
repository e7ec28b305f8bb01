#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/client_stream.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/overlay_video.h"
#include "cli/stream_account.h"
#include "cli/stream_flags.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

struct DrawnStreamFlags : StreamFlags {
  std::string overlay;
  bool json = false;
};

void PrintFrame(const DrawnStreamFlags& flags, const v1::FrameResult& result) {
  const std::vector<std::string> labels = flags.labels();
  const auto index = static_cast<size_t>(result.result().prompt_index());
  const double seconds =
      static_cast<double>(result.start_offset().seconds()) +
      static_cast<double>(result.start_offset().nanos()) * 1e-9;
  std::printf("%6lld  %8.3f s  \"%s\" %d%s\n",
              static_cast<long long>(result.frame_index()), seconds,
              labels[std::min(index, labels.size() - 1)].c_str(),
              result.result().instances_size(),
              ScoreList(result.result()).c_str());
}

void PrintSummary(const v1::StreamSummary& summary, double seconds) {
  int64_t dropped = 0;
  std::string reasons;
  for (const auto& entry : summary.dropped()) {
    dropped += entry.frame_count();
    absl::StrAppend(&reasons, reasons.empty() ? " (" : ", ",
                    entry.frame_count(), " ",
                    v1::DropReason_Name(entry.reason()));
  }
  if (!reasons.empty()) reasons += ")";
  std::printf(
      "%lld frames: %lld answered, %.1f/s, %lld dropped%s, %lld "
      "refused\n",
      static_cast<long long>(summary.frames_in_count()),
      static_cast<long long>(summary.answered_count()),
      static_cast<double>(summary.answered_count()) / seconds,
      static_cast<long long>(dropped), reasons.c_str(),
      static_cast<long long>(summary.refused_count()));
}

// That a source opens and ends is no news to whoever named it.
bool IsNews(v1::SourceEvent::Kind kind) {
  return kind != v1::SourceEvent::KIND_OPENED &&
         kind != v1::SourceEvent::KIND_ENDED;
}

// Prints or draws what a stream tells, over the calls that it consists of.
class Receiver {
 public:
  Receiver(const DrawnStreamFlags& flags, OverlayVideo* overlay)
      : flags_(flags),
        overlay_(overlay),
        account_(flags.track && flags.is_url()) {}

  // Reads one call to its end.
  absl::Status Receive(ClientStream* call) {
    v1::SegmentStreamResponse message;
    while (call->Read(&message)) {
      account_.Add(&message);
      if (message.has_summary()) total_ = message.summary();
      Tell(message);
      if (message.has_result() && overlay_ != nullptr) {
        SAM3_RETURN_IF_ERROR(overlay_->Add(message.result()));
        ShowProgress(message.result().frame_index() + 1);
      }
    }
    return absl::OkStatus();
  }

  // Whether another call is to follow; then `config` opens it.
  bool GoesOn(const grpc::Status& ended, v1::SegmentStreamRequest* config) {
    return account_.GoesOn(ended, config);
  }

  // What came of all calls.
  absl::Status Finish() {
    if (!flags_.json && total_.has_value()) {
      progress_.Clear();
      PrintSummary(*total_, std::max(Seconds(), 1e-3));
    }
    return overlay_ == nullptr ? absl::OkStatus() : overlay_->Finish();
  }

 private:
  void Tell(const v1::SegmentStreamResponse& message) {
    if (flags_.json) {
      std::printf("%s\n", ToJson(message, /*indented=*/false).c_str());
      std::fflush(stdout);
    } else if (message.has_rejected()) {
      progress_.Note(absl::StrCat(message.rejected().prompt_id(), ": ",
                                  message.rejected().status().message()));
    } else if (message.has_source_event() &&
               IsNews(message.source_event().kind())) {
      progress_.Note(message.source_event().message());
    } else if (message.has_going_away()) {
      progress_.Note(account_.resumes()
                         ? "the server stops; another one goes on"
                         : absl::StrCat("the server stops in ",
                                        message.going_away().within().seconds(),
                                        " s; the stream ends with it"));
    } else if (message.has_result() && overlay_ == nullptr) {
      PrintFrame(flags_, message.result());
    }
  }

  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start_)
        .count();
  }

  void ShowProgress(int64_t done) {
    progress_.Show(done, overlay_->frame_count(),
                   absl::StrFormat("%d frames, %.1f/s", done,
                                   static_cast<double>(done) / Seconds()));
  }

  const DrawnStreamFlags& flags_;
  OverlayVideo* const overlay_;
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
  ProgressLine progress_;
  StreamAccount account_;
  std::optional<v1::StreamSummary> total_;
};

// One call after another; how the last one ended.
grpc::Status ReceiveAll(const DrawnStreamFlags& flags,
                        v1::SegmentStreamRequest config,
                        v1::SegmentationService::Stub& stub, Receiver* receiver,
                        absl::Status* received) {
  while (true) {
    ClientStream call(stub, config, flags.pushed_file());
    *received = receiver->Receive(&call);
    if (!received->ok()) call.Cancel();
    grpc::Status status = call.Finish();
    if (!received->ok() || !receiver->GoesOn(status, &config)) return status;
  }
}

int RunStream(const DrawnStreamFlags& flags) {
  const auto config = MakeStreamConfig(flags);
  if (!config.ok()) return Complain(config.status(), kWrongUsage);
  if (flags.is_url() && !flags.overlay.empty()) {
    return Complain(absl::InvalidArgumentError(
                        "--overlay draws on video files; a camera's pictures "
                        "stay with the server"),
                    kWrongUsage);
  }
  std::unique_ptr<OverlayVideo> overlay;
  if (!flags.overlay.empty()) {
    auto opened =
        OverlayVideo::Open(flags.source, flags.overlay, flags.labels());
    if (!opened.ok()) return Complain(opened.status(), kWrongUsage);
    overlay = *std::move(opened);
  }
  const auto connection = Connection::Open(flags.connection);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  Receiver receiver(flags, overlay.get());
  absl::Status received;
  const grpc::Status status =
      ReceiveAll(flags, *config, (*connection)->stub(), &receiver, &received);
  if (received.ok()) received = receiver.Finish();
  if (!received.ok()) return Complain(received, kWrongUsage);
  if (!status.ok()) {
    PrintError(status);
    return ExitStatusOf(status);
  }
  if (overlay != nullptr && !flags.json) {
    std::printf("overlay %s\n", flags.overlay.c_str());
  }
  return 0;
}

}  // namespace

RunCommand AddStreamCommand(CLI::App* app) {
  auto flags = std::make_shared<DrawnStreamFlags>();
  AddStreamFlags(app, flags.get());
  auto* track = app->add_flag("--track", flags->track, "Object ids that last");
  AddTrackFlags(app, flags.get(), track);
  app->add_flag("--json", flags->json, "Print one JSON message per line");
  app->add_option("--overlay", flags->overlay,
                  "Write the video with masks drawn (.mp4)");
  app->footer(
      "Examples:\n"
      "  sam3ctl stream clip.mp4 --text person --overlay out.mp4\n"
      "  sam3ctl stream clip.mp4 --text person --track --overlay out.mp4\n"
      "  sam3ctl stream clip.mp4 --text \"red circle\" --fps 5 --json\n"
      "  sam3ctl stream clip.mp4 --object 1:320,200 --overlay out.mp4\n"
      "  sam3ctl stream clip.mp4 --object 1:320,200 --object 1:300,90:neg \\\n"
      "      --object 2:10,20,64,48\n"
      "  sam3ctl stream rtsp://user:password@cam-7/live --text person\n");
  return [flags] { return RunStream(*flags); };
}

}  // namespace sam3
