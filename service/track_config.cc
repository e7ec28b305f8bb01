#include "service/track_config.h"

#include "absl/strings/str_cat.h"

namespace sam3 {
namespace {

// As far as the reference's rules against false objects reach.
constexpr int kMaxConfirmationDelay = 15;
// Each costs a device several megabytes and milliseconds.
constexpr int kMaxObjects = 256;

}  // namespace

std::optional<TrackConfig> ReadTrackConfig(
    const v1::StreamConfig& config,
    const std::function<void(std::string, std::string)>& violate) {
  if (!v1::StreamConfig::Task_IsValid(config.task())) {
    violate("config.task", "is no known task");
  }
  if (config.confirmation_delay_frames() < 0 ||
      config.confirmation_delay_frames() > kMaxConfirmationDelay) {
    violate("config.confirmation_delay_frames",
            absl::StrCat("must be from 0 to ", kMaxConfirmationDelay));
  }
  if (config.max_objects() < 0 || config.max_objects() > kMaxObjects) {
    violate("config.max_objects",
            absl::StrCat("must be from 0 to ", kMaxObjects));
  }
  if (config.task() != v1::StreamConfig::TASK_TRACK) return std::nullopt;
  if (config.has_nms()) violate("config.nms", "is not for TASK_TRACK");
  if (config.max_instances_per_prompt() > 0) {
    violate("config.max_instances_per_prompt",
            "is not for TASK_TRACK; use max_objects");
  }
  TrackConfig out;
  out.confirmation_delay_frames = config.confirmation_delay_frames();
  if (config.max_objects() > 0) out.max_objects = config.max_objects();
  return out;
}

}  // namespace sam3
