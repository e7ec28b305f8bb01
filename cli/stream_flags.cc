#include "cli/stream_flags.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cli/object_flags.h"
#include "inference/base/status_macros.h"

namespace sam3 {
namespace {

void SetSource(const StreamFlags& flags, v1::StreamConfig* config) {
  if (flags.is_url()) {
    config->set_url(flags.source);
  } else if (flags.server_file) {
    config->set_file(flags.source);
  } else {
    config->mutable_pushed_chunks();
  }
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

}  // namespace

std::vector<std::string> StreamFlags::labels() const {
  if (!objects.empty()) return {"object"};
  return MakeLabels(prompts);
}

void AddStreamFlags(CLI::App* app, StreamFlags* flags) {
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
  app->add_option("--fps", flags->fps, "Frames to analyse per second of video");
}

void AddTrackFlags(CLI::App* app, StreamFlags* flags, CLI::Option* track) {
  auto* confirm =
      app->add_option("--confirm", flags->confirm,
                      "Frames until a new object is certain (default: 0)")
          ->check(CLI::Range(0, 15));
  auto* detect_every =
      app->add_option("--detect-every", flags->detect_every,
                      "Look for new objects on every n-th analysed frame only")
          ->check(CLI::Range(1, 16));
  if (track == nullptr) return;
  confirm->needs(track);
  detect_every->needs(track);
}

absl::StatusOr<v1::SegmentStreamRequest> MakeStreamConfig(
    const StreamFlags& flags) {
  const std::string file = flags.pushed_file();
  std::error_code error;
  if (!file.empty() && !std::filesystem::is_regular_file(file, error)) {
    return absl::NotFoundError(absl::StrCat(file, ": no such video file"));
  }
  v1::SegmentStreamRequest request;
  v1::StreamConfig* config = request.mutable_config();
  SAM3_RETURN_IF_ERROR(AddPromptsOrObjects(flags, config));
  SetSource(flags, config);
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

}  // namespace sam3
