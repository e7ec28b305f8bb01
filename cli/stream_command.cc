#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/object_flags.h"
#include "cli/output.h"
#include "cli/overlay.h"
#include "cli/prompt_flags.h"
#include "inference/base/status_macros.h"
#include "pipeline/media/video_decoder.h"
#include "pipeline/media/video_writer.h"

namespace sam3 {
namespace {

constexpr size_t kChunkBytes = 256 << 10;

struct StreamFlags {
  ConnectionOptions connection;
  PromptFlags prompts;
  std::vector<std::string> objects;
  std::string source;
  std::string overlay;
  bool latest = false;
  bool every = false;
  bool track = false;
  int confirm = 0;
  int detect_every = 0;
  double fps = 0;
  bool json = false;
};

using Stream = grpc::ClientReaderWriter<v1::SegmentStreamRequest,
                                        v1::SegmentStreamResponse>;

// What results are called, by prompt; given objects have numbers for names.
std::vector<std::string> LabelsOf(const StreamFlags& flags) {
  if (!flags.objects.empty()) return {"object"};
  return MakeLabels(flags.prompts);
}

// Decodes the file a second time, beside the server, and draws what comes back
// for each frame; frames without a result are written as they are.
class OverlayVideo {
 public:
  static absl::StatusOr<std::unique_ptr<OverlayVideo>> Open(
      const StreamFlags& flags) {
    auto video = std::make_unique<OverlayVideo>();
    SAM3_ASSIGN_OR_RETURN(
        video->decoder_,
        VideoDecoder::OpenFile(flags.source, {}, video->allocator_));
    video->path_ = flags.overlay;
    video->labels_ = LabelsOf(flags);
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

// Of a camera, which the server fetches.
bool IsUrl(const std::string& source) {
  return source.find("://") != std::string::npos;
}

// What is looked for, or what is followed.
absl::Status AddPromptsOrObjects(const StreamFlags& flags,
                                 v1::StreamConfig* config) {
  if (flags.objects.empty()) {
    SAM3_ASSIGN_OR_RETURN(const auto prompts, MakePrompts(flags.prompts));
    for (const v1::ConceptPrompt& prompt : prompts) {
      *config->add_prompts() = prompt;
    }
    return absl::OkStatus();
  }
  if (!flags.prompts.texts.empty() || !flags.prompts.boxes.empty()) {
    return absl::InvalidArgumentError(
        "--object follows what you point at, --text and --box what they find; "
        "choose one");
  }
  SAM3_ASSIGN_OR_RETURN(const auto objects, MakeGivenObjects(flags.objects));
  for (const v1::GivenObject& object : objects) {
    *config->add_objects() = object;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SegmentStreamRequest> MakeConfig(const StreamFlags& flags) {
  v1::SegmentStreamRequest request;
  v1::StreamConfig* config = request.mutable_config();
  SAM3_RETURN_IF_ERROR(AddPromptsOrObjects(flags, config));
  if (IsUrl(flags.source)) {
    config->set_url(flags.source);
  } else {
    config->mutable_pushed_chunks();
  }
  if (flags.latest) config->set_delivery(v1::StreamConfig::DELIVERY_LATEST);
  if (flags.every) config->set_delivery(v1::StreamConfig::DELIVERY_EVERY);
  if (flags.track) config->set_task(v1::StreamConfig::TASK_TRACK);
  config->set_confirmation_delay_frames(flags.confirm);
  config->set_detect_every(flags.detect_every);
  if (flags.prompts.threshold) {
    config->set_score_threshold(*flags.prompts.threshold);
  }
  if (flags.prompts.nms) {
    config->mutable_nms()->set_iou_threshold(*flags.prompts.nms);
  }
  config->set_max_instances_per_prompt(flags.prompts.max_instances);
  SAM3_ASSIGN_OR_RETURN(*config->mutable_mask_options(),
                        MakeMaskOptions(flags.prompts.mask));
  config->set_analyse_fps(flags.fps);
  return request;
}

void SendFile(const std::string& path, Stream* stream) {
  std::ifstream file(path, std::ios::binary);
  std::string buffer(kChunkBytes, '\0');
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
         file.gcount() > 0) {
    v1::SegmentStreamRequest request;
    request.mutable_chunk()->set_data(buffer.data(),
                                      static_cast<size_t>(file.gcount()));
    // False: the server ended the stream; its status says why.
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
}

void PrintFrame(const StreamFlags& flags, const v1::FrameResult& result) {
  const std::vector<std::string> labels = LabelsOf(flags);
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

// What a stream tells, over the calls that it consists of: a camera's that is
// followed goes on with another server when its own stops.
class Receiver {
 public:
  Receiver(const StreamFlags& flags, OverlayVideo* overlay)
      : flags_(flags), overlay_(overlay) {}

  // Reads one call to its end.
  absl::Status Receive(Stream* stream) {
    v1::SegmentStreamResponse message;
    while (stream->Read(&message)) {
      CountOn(&message);
      Note(message);
      if (flags_.json) {
        std::printf("%s\n", ToJson(message, /*indented=*/false).c_str());
        std::fflush(stdout);
      } else if (message.has_rejected()) {
        progress_.Note(absl::StrCat(message.rejected().prompt_id(), ": ",
                                    message.rejected().status().message()));
      } else if (message.has_source_event() &&
                 IsNews(message.source_event().kind())) {
        progress_.Note(message.source_event().message());
      } else if (message.has_result() && overlay_ == nullptr) {
        PrintFrame(flags_, message.result());
      }
      if (message.has_result() && overlay_ != nullptr) {
        SAM3_RETURN_IF_ERROR(overlay_->Add(message.result()));
        ShowProgress(message.result().frame_index() + 1);
      }
    }
    return absl::OkStatus();
  }

  // Whether another call is to follow; then `config` opens it.
  bool GoesOn(const grpc::Status& ended, v1::SegmentStreamRequest* config) {
    if (token_.empty() || std::chrono::steady_clock::now() > begin_until_ ||
        !(ended.error_code() == grpc::StatusCode::UNAVAILABLE ||
          ended.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED)) {
      return false;
    }
    if (attempts_++ > 0) std::this_thread::sleep_for(kBetweenAttempts);
    config->mutable_config()->clear_prompts();
    config->mutable_config()->set_resume_token(token_);
    return true;
  }

  // What came of all calls.
  absl::Status Finish() {
    if (!flags_.json && summed_up_) {
      progress_.Clear();
      PrintSummary(total_, std::max(Seconds(), 1e-3));
    }
    return overlay_ == nullptr ? absl::OkStatus() : overlay_->Finish();
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kBetweenAttempts{200};
  // A token is good for a minute.
  static constexpr std::chrono::seconds kBetweenCalls{50};

  bool resumes() const { return flags_.track && IsUrl(flags_.source); }

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

  void Keep(const std::string& token) {
    if (!resumes() || token.empty()) return;
    token_ = token;
    begin_until_ = std::chrono::steady_clock::now() + kBetweenCalls;
  }

  void Note(const v1::SegmentStreamResponse& message) {
    if (message.has_started()) {
      token_.clear();
      attempts_ = 0;
    } else if (message.has_going_away()) {
      Keep(message.going_away().resume_token());
      if (flags_.json) return;
      progress_.Note(resumes()
                         ? "the server stops; another one goes on"
                         : absl::StrCat("the server stops in ",
                                        message.going_away().within().seconds(),
                                        " s; the stream ends with it"));
    } else if (message.has_summary()) {
      Keep(message.summary().resume_token());
      Add(message.summary());
    }
  }

  // Frames that earlier calls had come first.
  void CountOn(v1::SegmentStreamResponse* message) const {
    const int64_t before = total_.frames_in_count();
    const auto move = [before](auto* counted) {
      counted->set_frame_index(counted->frame_index() + before);
    };
    if (message->has_result()) move(message->mutable_result());
    if (message->has_refused()) move(message->mutable_refused());
    if (message->has_source_event()) move(message->mutable_source_event());
    if (message->has_dropped()) {
      v1::FramesDropped* dropped = message->mutable_dropped();
      dropped->set_first_frame_index(dropped->first_frame_index() + before);
      dropped->set_last_frame_index(dropped->last_frame_index() + before);
    }
  }

  void Add(const v1::StreamSummary& summary) {
    summed_up_ = true;
    total_.set_frames_in_count(total_.frames_in_count() +
                               summary.frames_in_count());
    total_.set_answered_count(total_.answered_count() +
                              summary.answered_count());
    total_.set_refused_count(total_.refused_count() + summary.refused_count());
    for (const auto& added : summary.dropped()) {
      auto* known = total_.mutable_dropped();
      const auto found = std::find_if(
          known->begin(), known->end(),
          [&added](const auto& one) { return one.reason() == added.reason(); });
      auto* entry = found == known->end() ? total_.add_dropped() : &*found;
      entry->set_reason(added.reason());
      entry->set_frame_count(entry->frame_count() + added.frame_count());
    }
  }

  const StreamFlags& flags_;
  OverlayVideo* const overlay_;
  const Time start_ = std::chrono::steady_clock::now();
  ProgressLine progress_;
  v1::StreamSummary total_;
  bool summed_up_ = false;
  // From the moment that the server says that it stops until another call has
  // begun: what opens it, and by when.
  std::string token_;
  Time begin_until_;
  int attempts_ = 0;
};

// One call after another; how the last one ended.
grpc::Status ReceiveAll(const StreamFlags& flags,
                        v1::SegmentStreamRequest config,
                        v1::SegmentationService::Stub* stub, Receiver* receiver,
                        absl::Status* received) {
  while (true) {
    grpc::ClientContext context;
    const std::unique_ptr<Stream> stream = stub->SegmentStream(&context);
    stream->Write(config);
    // A camera's stream lasts until this program is interrupted.
    std::thread sender([&] {
      if (!IsUrl(flags.source)) SendFile(flags.source, stream.get());
    });
    *received = receiver->Receive(stream.get());
    if (!received->ok()) context.TryCancel();
    sender.join();
    const grpc::Status status = stream->Finish();
    if (!received->ok() || !receiver->GoesOn(status, &config)) return status;
  }
}

int RunStream(const StreamFlags& flags) {
  const auto config = MakeConfig(flags);
  if (!config.ok()) return Complain(config.status(), kWrongUsage);
  std::error_code error;
  if (!IsUrl(flags.source) &&
      !std::filesystem::is_regular_file(flags.source, error)) {
    return Complain(
        absl::NotFoundError(absl::StrCat(flags.source, ": no such video file")),
        kWrongUsage);
  }
  if (IsUrl(flags.source) && !flags.overlay.empty()) {
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
  Receiver receiver(flags, overlay.get());
  absl::Status received;
  const grpc::Status status =
      ReceiveAll(flags, *config, &(*connection)->stub(), &receiver, &received);
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
  auto flags = std::make_shared<StreamFlags>();
  app->add_option("source", flags->source,
                  "Video file, or a camera's https://, rtsp://, ... for the "
                  "server to open")
      ->required();
  AddPromptFlags(app, &flags->prompts);
  AddObjectFlags(app, &flags->objects);
  AddConnectionFlags(app, &flags->connection);
  auto* latest = app->add_flag("--latest", flags->latest,
                               "Drop frames that cannot be answered in time");
  app->add_flag("--every", flags->every,
                "Answer every frame (default for files)")
      ->excludes(latest);
  auto* track = app->add_flag("--track", flags->track, "Object ids that last");
  app->add_option("--confirm", flags->confirm,
                  "Frames until a new object is certain (default: 0)")
      ->needs(track)
      ->check(CLI::Range(0, 15));
  app->add_option("--detect-every", flags->detect_every,
                  "Look for new objects on every n-th analysed frame only")
      ->needs(track)
      ->check(CLI::Range(1, 16));
  app->add_option("--fps", flags->fps, "Frames to analyse per second of video");
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
