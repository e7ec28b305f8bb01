#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/overlay.h"
#include "cli/prompt_flags.h"
#include "cli/stream_call.h"
#include "cli/stream_flags.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/media/video_writer.h"

namespace sam3 {
namespace {

struct DrawnStreamFlags : StreamFlags {
  std::string overlay;
  bool json = false;
};

// Decodes the file a second time, beside the server, and draws what comes back
// for each frame; frames without a result are written as they are.
class OverlayVideo {
 public:
  static absl::StatusOr<std::unique_ptr<OverlayVideo>> Open(
      const DrawnStreamFlags& flags) {
    auto video = std::make_unique<OverlayVideo>();
    SAM3_ASSIGN_OR_RETURN(
        video->decoder_,
        VideoDecoder::OpenFile(flags.source, {}, video->allocator_));
    video->path_ = flags.overlay;
    video->labels_ = MakeLabels(flags.prompts);
    return video;
  }

  // Results come in frame order; all of a frame's before the next frame's.
  absl::Status Add(const v1::FrameResult& result) {
    SAM3_RETURN_IF_ERROR(SkipTo(result.frame_index()));
    results_.push_back(result.result());
    return absl::OkStatus();
  }

  absl::Status Finish() {
    SAM3_RETURN_IF_ERROR(SkipTo(-1));
    return writer_ == nullptr
               ? absl::InvalidArgumentError("the video has no frame")
               : writer_->Finish();
  }

  int64_t frame_count() const { return decoder_->frame_count(); }

 private:
  // Writes every frame before `index` (all for -1).
  absl::Status SkipTo(int64_t index) {
    while (index < 0 || current_ < index) {
      if (frame_.has_value()) SAM3_RETURN_IF_ERROR(WriteCurrent());
      SAM3_ASSIGN_OR_RETURN(auto next, decoder_->Next());
      if (!next.has_value()) {
        frame_.reset();
        return absl::OkStatus();
      }
      frame_ = std::move(next->image);
      ++current_;
    }
    return absl::OkStatus();
  }

  absl::Status WriteCurrent() {
    if (writer_ == nullptr) {
      const double rate = decoder_->frame_rate();
      SAM3_ASSIGN_OR_RETURN(
          writer_, VideoWriter::Create(path_, frame_->width(), frame_->height(),
                                       rate > 0 ? rate : 25.0));
    }
    std::vector<std::string> labels;
    for (size_t i = 0; i < results_.size(); ++i) {
      labels.push_back(labels_[std::min(i, labels_.size() - 1)]);
    }
    SAM3_ASSIGN_OR_RETURN(const Image drawn,
                          DrawOverlay(*frame_, results_, labels));
    results_.clear();
    return writer_->Write(drawn);
  }

  HeapAllocator allocator_;
  std::unique_ptr<VideoDecoder> decoder_;
  std::unique_ptr<VideoWriter> writer_;
  std::string path_;
  std::vector<std::string> labels_;
  std::optional<Image> frame_;
  int64_t current_ = -1;
  std::vector<v1::PromptResult> results_;
};

void PrintFrame(const DrawnStreamFlags& flags, const v1::FrameResult& result) {
  const std::vector<std::string> labels = MakeLabels(flags.prompts);
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

absl::Status Receive(const DrawnStreamFlags& flags, OverlayVideo* overlay,
                     StreamCall* call) {
  const auto start = std::chrono::steady_clock::now();
  ProgressLine progress;
  v1::SegmentStreamResponse message;
  while (call->Read(&message)) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    if (flags.json) {
      std::printf("%s\n", ToJson(message, /*indented=*/false).c_str());
      std::fflush(stdout);
    } else if (message.has_summary()) {
      progress.Clear();
      PrintSummary(message.summary(), std::max(seconds, 1e-3));
    } else if (message.has_source_event() &&
               IsNews(message.source_event().kind())) {
      progress.Note(message.source_event().message());
    } else if (message.has_result() && overlay == nullptr) {
      PrintFrame(flags, message.result());
    }
    if (!message.has_result()) continue;
    const int64_t done = message.result().frame_index() + 1;
    if (overlay != nullptr) {
      SAM3_RETURN_IF_ERROR(overlay->Add(message.result()));
      progress.Show(done, overlay->frame_count(),
                    absl::StrFormat("%d frames, %.1f/s", done,
                                    static_cast<double>(done) / seconds));
    }
  }
  return overlay == nullptr ? absl::OkStatus() : overlay->Finish();
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
    auto opened = OverlayVideo::Open(flags);
    if (!opened.ok()) return Complain(opened.status(), kWrongUsage);
    overlay = *std::move(opened);
  }
  const auto connection = Connection::Open(flags.connection);
  if (!connection.ok()) {
    return Complain(connection.status(), ExitStatusOf(connection.status()));
  }
  StreamCall call((*connection)->stub(), *config, flags.pushed_file());
  const absl::Status received = Receive(flags, overlay.get(), &call);
  if (!received.ok()) call.Cancel();
  const grpc::Status status = call.Finish();
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
  AddConfirmFlag(app, flags.get())->needs(track);
  app->add_flag("--json", flags->json, "Print one JSON message per line");
  app->add_option("--overlay", flags->overlay,
                  "Write the video with masks drawn (.mp4)");
  app->footer(
      "Examples:\n"
      "  sam3ctl stream clip.mp4 --text person --overlay out.mp4\n"
      "  sam3ctl stream clip.mp4 --text person --track --overlay out.mp4\n"
      "  sam3ctl stream clip.mp4 --text \"red circle\" --fps 5 --json\n"
      "  sam3ctl stream rtsp://user:password@cam-7/live --text person\n");
  return [flags] { return RunStream(*flags); };
}

}  // namespace sam3
