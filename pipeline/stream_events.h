#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "pipeline/given_object.h"
#include "pipeline/resume_state.h"
#include "pipeline/segmentation.h"
#include "pipeline/source_failure.h"
#include "pipeline/stream_config.h"

namespace sam3 {

// What a stream is told while it runs and everything that it can say, free of
// any wire format.

// An encoded still pushed as one frame.
struct PushedFrame {
  std::string content;
  std::optional<absl::Time> capture_time;
};

enum class DropReason {
  kStale,         // a newer frame replaced it (kLatest)
  kSampledOut,    // analyse_fps or every_nth_frame
  kUndecodable,   // damaged media
  kSlowConsumer,  // the client did not read its results
  kEngine,        // the engine failed on its batch
  kCancelled,     // the stream ended first
};

// What a source says of itself before its first frame; 0 where it does not.
// Sizes are those of upright frames.
struct SourceFacts {
  int width = 0;
  int height = 0;
  double frame_rate = 0;
};

// What a client may send, and what it may leave to wait for how long.
struct StreamLimits {
  size_t max_frame_bytes = 0;
  int max_unsent_frames = 0;
  size_t max_unsent_bytes = 0;
  absl::Duration slow_consumer_timeout;
  absl::Duration heartbeat_interval;
};

// What a stream goes on with, as its client is told.
struct ResumedFrom {
  int objects = 0;
  int64_t frames_before = 0;
};

struct StreamStarted {
  std::string stream_id;
  SourceFacts source;
  FrameDelivery delivery = FrameDelivery::kEvery;
  ConceptOptions options;
  double analyse_fps = 0;
  int every_nth_frame = 1;
  std::optional<TrackConfig> track;
  StreamLimits limits;
  std::optional<ResumedFrom> resumed = std::nullopt;
};

// Everything found for one prompt on one frame.
struct FrameResult {
  int64_t frame_index = 0;
  absl::Duration start_offset;  // media time since the first frame
  std::optional<absl::Time> capture_time;
  int width = 0;
  int height = 0;
  PromptResult result;
  bool last_in_frame = false;
  RequestTimings timings;  // set on the last result of a frame
  // Of the first answered frame behind a gap in the source.
  bool discontinuity = false;
  std::vector<TrackEvent> object_events = {};
  bool tracked_only = false;  // no detector ran
  // New objects that there was no room for; set on the last result of a frame.
  int objects_not_taken = 0;
};

// A run of frames that will get no result.
struct FramesDropped {
  int64_t first_index = 0;
  int64_t last_index = 0;
  DropReason reason = DropReason::kStale;
};

// One frame that could not be taken at all.
struct FrameRefused {
  int64_t frame_index = 0;
  absl::Status status;
};

// A prompt, or an object by its number, that cannot be served on this stream;
// the others go on.
struct PromptRejected {
  std::string prompt_id;
  absl::Status status;
};

// A change of a running stream's prompts or objects.
struct PromptUpdate {
  std::vector<ConceptPrompt> add = {};
  std::vector<std::string> remove = {};  // ids
  // What was found wanting before it came here.
  std::vector<PromptRejected> rejected = {};
  std::vector<GivenObject> describe = {};
  std::vector<int64_t> drop = {};  // ids
  std::vector<GivenObject> preview = {};
  std::vector<GivenObject> commit = {};
};

struct PromptsUpdated {
  int64_t effective_frame_index = 0;
};

// The source shows itself, or changes under the stream.
enum class SourceEventKind {
  kOpened,
  kResolutionChanged,
  kDamaged,
  kEnded,
  kStalled,       // nothing comes, the connection is kept
  kReconnecting,  // the connection is gone, another will be tried
  kBack,          // frames come again
};
struct SourceEvent {
  SourceEventKind kind = SourceEventKind::kEnded;
  int64_t frame_index = 0;
  std::string message;
  SourceFacts source;  // with kOpened and, but for the rate, kResolutionChanged
  // With kReconnecting: why, which attempt will be next, from 1, and when.
  std::optional<SourceFailure> failure = std::nullopt;
  int attempt = 0;
  absl::Duration retry_delay = absl::ZeroDuration();
  // With kBack: for how long no frame came.
  absl::Duration outage = absl::ZeroDuration();
};

struct Heartbeat {};

// The server stops; the stream is served for at most this long.
struct GoingAway {
  absl::Duration within;
  // Where objects are followed: what another stream can go on with.
  std::shared_ptr<const ResumeState> resume = nullptr;
};

// Last message of every stream: frames_in = answered + dropped + refused.
struct StreamSummary {
  int64_t frames_in = 0;
  int64_t answered = 0;
  std::map<DropReason, int64_t> dropped;
  int64_t refused = 0;
  // Behind GoingAway, where objects are followed.
  std::shared_ptr<const ResumeState> resume = nullptr;
};

using StreamEvent =
    std::variant<StreamStarted, FrameResult, FramesDropped, FrameRefused,
                 PromptRejected, PromptsUpdated, SourceEvent, Heartbeat,
                 GoingAway, StreamSummary, ObjectPreview>;

}  // namespace sam3
