#include "service/track_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

// As far as the reference's rules against false objects reach.
constexpr int kMaxConfirmationDelay = 15;
constexpr int kMaxDetectEvery = 16;

// What is about concepts and detections alone.
void CheckGiven(const v1::StreamConfig& config, int max_objects,
                const Violate& violate) {
  constexpr char kNotForGiven[] = "is not for given objects";
  if (!config.prompts().empty()) {
    violate("config.prompts",
            "cannot be combined with objects; a stream has one or the other");
  }
  if (config.task() == v1::StreamConfig::TASK_DETECT) {
    violate("config.task", "must be TASK_TRACK with objects");
  }
  if (config.has_score_threshold()) {
    violate("config.score_threshold", kNotForGiven);
  }
  if (config.confirmation_delay_frames() > 0) {
    violate("config.confirmation_delay_frames", kNotForGiven);
  }
  if (config.detect_every() > 0) violate("config.detect_every", kNotForGiven);
  if (config.objects_size() > max_objects) {
    violate("config.objects",
            absl::StrCat("has ", config.objects_size(), " entries; at most ",
                         max_objects, " are allowed by max_objects"));
  }
}

}  // namespace

std::optional<TrackConfig> ReadTrackConfig(const v1::StreamConfig& config,
                                           const ServiceLimits& limits,
                                           const Violate& violate) {
  if (!v1::StreamConfig::Task_IsValid(config.task())) {
    violate("config.task", "is no known task");
  }
  if (config.confirmation_delay_frames() < 0 ||
      config.confirmation_delay_frames() > kMaxConfirmationDelay) {
    violate("config.confirmation_delay_frames",
            absl::StrCat("must be from 0 to ", kMaxConfirmationDelay));
  }
  if (config.max_objects() < 0 || config.max_objects() > limits.max_objects) {
    violate("config.max_objects",
            absl::StrCat("must be from 0 to ", limits.max_objects));
  }
  if (config.detect_every() < 0 || config.detect_every() > kMaxDetectEvery) {
    violate("config.detect_every",
            absl::StrCat("must be from 0 to ", kMaxDetectEvery));
  }
  const bool given = !config.objects().empty();
  if (config.task() != v1::StreamConfig::TASK_TRACK && !given) {
    return std::nullopt;
  }
  if (config.has_nms()) violate("config.nms", "is not for TASK_TRACK");
  if (config.max_instances_per_prompt() > 0) {
    violate("config.max_instances_per_prompt",
            "is not for TASK_TRACK; use max_objects");
  }
  TrackConfig out;
  out.confirmation_delay_frames = config.confirmation_delay_frames();
  out.detect_every = std::max(1, config.detect_every());
  if (config.max_objects() > 0) out.max_objects = config.max_objects();
  if (given) CheckGiven(config, out.max_objects, violate);
  return out;
}

}  // namespace sam3
