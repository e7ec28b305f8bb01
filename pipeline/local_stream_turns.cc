// A stream's part on the device: its turns in the scheduler, and what becomes
// of a frame from the moment that its batch is formed.
#include <algorithm>
#include <utility>

#include "inference/base/status_macros.h"
#include "pipeline/local_stream.h"
#include "pipeline/prompt_geometry.h"
#include "pipeline/result_encoder.h"
#include "pipeline/track_encoder.h"

namespace sam3 {
namespace {

// What the one result of a frame with given objects goes by.
constexpr char kGivenObjectsId[] = "objects";

// A rough size of what goes to the client; exact enough for a bound.
size_t SizeOf(const FrameResult& result) {
  size_t bytes = sizeof(FrameResult);
  for (const Instance& instance : result.result.instances) {
    bytes += sizeof(Instance);
    if (const auto* rle = std::get_if<RleMask>(&instance.mask)) {
      bytes += rle->counts.size();
    } else if (const auto* png = std::get_if<PngMask>(&instance.mask)) {
      bytes += png->bytes.size();
    } else if (const auto* bits = std::get_if<BitsMask>(&instance.mask)) {
      bytes += bits->bytes.size();
    } else if (const auto* poly = std::get_if<PolygonMask>(&instance.mask)) {
      for (const PolygonRing& ring : poly->rings) {
        bytes += ring.xy.size() * sizeof(int32_t);
      }
    }
  }
  return bytes;
}

// Each event to its prompt's result; what has no result any more to the last.
void GiveEvents(const std::vector<TrackEvent>& events,
                const std::vector<ConceptPrompt>& prompts,
                std::vector<FrameResult>* results) {
  for (const TrackEvent& event : events) {
    const auto prompt = std::find_if(prompts.begin(), prompts.end(),
                                     [&event](const ConceptPrompt& p) {
                                       return p.stream_number == event.prompt;
                                     });
    FrameResult& result =
        prompt == prompts.end()
            ? results->back()
            : (*results)[static_cast<size_t>(prompt - prompts.begin())];
    result.object_events.push_back(event);
  }
}

absl::StatusOr<std::vector<PromptResult>> EncodePrompts(
    const StreamConfig& config, const std::vector<ConceptPrompt>& prompts,
    const EngineOutput& output, int width, int height) {
  if (!config.objects.empty()) {
    PromptResult result;
    result.prompt_id = kGivenObjectsId;
    SAM3_ASSIGN_OR_RETURN(result.instances,
                          EncodeGiven(output.tracked->objects.front(),
                                      config.options, width, height));
    return std::vector<PromptResult>{std::move(result)};
  }
  return output.tracked.has_value()
             ? EncodeTracks(prompts, output.detections, *output.tracked,
                            config.options, width, height)
             : EncodeResults(prompts, output.detections, config.options, width,
                             height);
}

}  // namespace

// One claim on the device. Which frame it is for, or which questions, is
// decided when its batch is formed.
class LocalStream::Turn final : public Job {
 public:
  Turn(std::shared_ptr<LocalStream> stream, const Facts& facts)
      : Job(stream->context_, facts), stream_(std::move(stream)) {
    claimed_.asks = facts.is_click;
  }

  std::optional<EngineInput> TakeInput() override {
    return stream_->TakeTurn(&claimed_);
  }
  void Finish(absl::StatusOr<EngineOutput> output) override {
    stream_->FinishTurn(std::move(claimed_), std::move(output));
  }

 private:
  const std::shared_ptr<LocalStream> stream_;
  Claimed claimed_;
};

void LocalStream::QueueTurns(const StreamTurns::Claim& turns) {
  absl::Status refused;
  for (int i = 0; i < turns.frames + (turns.questions ? 1 : 0); ++i) {
    Job::Facts facts;
    facts.stream_id = number_;
    facts.is_click = i == turns.frames;
    if (facts.is_click) {
      facts.image_count = 0;
    } else {
      facts.pair_count = static_cast<int>(config_.prompts.size());
    }
    std::unique_ptr<Job> turn =
        std::make_unique<Turn>(shared_from_this(), facts);
    const absl::Status queued = core_.scheduler.Schedule(std::move(turn));
    if (queued.ok()) continue;
    refused = queued;
    const absl::MutexLock lock(&mutex_);
    turns_.End(facts.is_click);
    CancelLocked(queued);
  }
  // A cancelled stream claims no turns, so this comes back at once.
  if (!refused.ok()) Proceed();
}

std::optional<EngineInput> LocalStream::TakeTurn(Claimed* claimed) {
  {
    const absl::MutexLock lock(&mutex_);
    if (cancelled_) return std::nullopt;
    if (claimed->asks) {
      if (!QuestionsReady()) return std::nullopt;
      std::vector<PromptRejected> rejected;
      claimed->asked = objects_->TakeQuestions(&rejected);
      AnnounceAll(std::move(rejected));
      if (!claimed->asked.has_value()) return std::nullopt;
      questions_out_ += claimed->asked->questions.size();
      EngineInput input;
      input.follow = FollowItem{tracked_.tracks(), nullptr};
      input.follow->questions = claimed->asked->questions;
      return input;
    }
    claimed->frame = mailbox_.Take();
  }
  if (!claimed->frame.has_value()) return std::nullopt;
  return config_.objects.empty() ? TakeConcepts(&claimed->frame)
                                 : TakeObjects(*claimed->frame);
}

std::optional<EngineInput> LocalStream::TakeConcepts(
    std::optional<VideoFrame>* frame) {
  EngineInput input;
  input.image = (*frame)->image;
  auto prompts =
      ToEnginePrompts(*(*frame)->prompts, config_.options,
                      (*frame)->image.width(), (*frame)->image.height(),
                      /*warnings=*/nullptr);
  if (!prompts.ok()) {
    const absl::MutexLock lock(&mutex_);
    if (sequencer_.Refuse((*frame)->index, prompts.status())) {
      core_.metrics.frames_refused.Add();
    }
    frame->reset();
    return std::nullopt;
  }
  {
    const absl::MutexLock lock(&mutex_);
    if (detector_pace_.Due((*frame)->prompts)) {
      input.prompts = *std::move(prompts);
    }
  }
  if (tracked_.tracks() != nullptr) {
    input.tracks = tracked_.tracks();
    input.takes_new_objects = core_.tracked_memory.Room().ok();
    for (EnginePrompt& prompt : input.prompts) {
      prompt.options.want_masks = true;
      prompt.options.mask_logits = true;
      prompt.options.max_detections = 0;
    }
    for (const ConceptPrompt& prompt : *(*frame)->prompts) {
      input.prompt_numbers.push_back(prompt.stream_number);
    }
  }
  return input;
}

void LocalStream::FinishTurn(Claimed claimed,
                             absl::StatusOr<EngineOutput> output) {
  std::optional<VideoFrame>& frame = claimed.frame;
  if (frame.has_value() && output.ok()) {
    if (output->tracked.has_value()) {
      tracked_.Measure();
      const absl::MutexLock lock(&mutex_);
      if (objects_.has_value()) {
        objects_->Analysed(frame->index, frame->image.width(),
                           frame->image.height());
      } else {
        followed_.Begin(frame->index);
      }
    }
    core_.encode_pool.Schedule([self = shared_from_this(),
                                frame = *std::move(frame),
                                output = *std::move(output)]() mutable {
      self->EncodeFrame(std::move(frame), output);
    });
    return;
  }
  if (claimed.asked.has_value() && output.ok()) {
    core_.encode_pool.Schedule(
        [self = shared_from_this(), asked = *std::move(claimed.asked),
         output = *std::move(output)] { self->EncodeAnswers(asked, output); });
    return;
  }
  if (claimed.asked.has_value()) RefuseAnswers(*claimed.asked, output.status());
  {
    const absl::MutexLock lock(&mutex_);
    turns_.End(claimed.asks);
    if (frame.has_value() &&
        sequencer_.Drop(frame->index, DropReason::kEngine)) {
      Count(DropReason::kEngine);
    }
    if (!output.ok() && !absl::IsInternal(output.status()) &&
        !absl::IsCancelled(output.status()) &&
        !absl::IsResourceExhausted(output.status())) {
      // The deadline has passed, or the device or the server is gone: no later
      // frame would fare better.
      CancelLocked(output.status());
    }
  }
  Proceed();
}

void LocalStream::EncodeFrame(VideoFrame frame, const EngineOutput& output) {
  const absl::Time start = core_.clock.Now();
  const int width = frame.image.width();
  const int height = frame.image.height();
  frame.image = Image();
  absl::StatusOr<std::vector<PromptResult>> encoded =
      EncodePrompts(config_, *frame.prompts, output, width, height);
  ObjectSightings sightings;
  if (output.tracked.has_value() && config_.objects.empty()) {
    sightings = ReadSightings(*frame.prompts, *output.tracked);
  }
  const absl::Time end = core_.clock.Now();
  core_.metrics.post_seconds.Observe(end - start);
  core_.metrics.frame_age_seconds.Observe(end - frame.arrived);
  std::vector<FrameResult> results;
  size_t bytes = 0;
  if (encoded.ok()) {
    for (PromptResult& prompt : *encoded) {
      FrameResult result{frame.index,
                         frame.start_offset,
                         frame.capture_time,
                         width,
                         height,
                         std::move(prompt),
                         false,
                         {},
                         false,
                         {}};
      bytes += SizeOf(result);
      results.push_back(std::move(result));
    }
    if (!results.empty()) {
      if (output.tracked.has_value()) {
        GiveEvents(output.tracked->events, *frame.prompts, &results);
        for (FrameResult& result : results) {
          result.tracked_only =
              config_.objects.empty() && output.detections.empty();
        }
        results.back().objects_not_taken = output.tracked->births_beyond_cap;
      }
      results.back().last_in_frame = true;
      results.back().timings = {frame.decode,  output.queue,
                                output.encode, output.ground,
                                end - start,   end - frame.arrived};
    }
  }
  {
    const absl::MutexLock lock(&mutex_);
    turns_.End(/*questions=*/false);
    if (output.tracked.has_value() && config_.objects.empty()) {
      followed_.End(frame.index, std::move(sightings));
    }
    if (!encoded.ok()) {
      if (sequencer_.Drop(frame.index, DropReason::kEngine)) {
        Count(DropReason::kEngine);
      }
    } else if (sequencer_.Answer(frame.index, std::move(results), bytes)) {
      core_.metrics.frames_answered.Add();
      ShedUnsent();
    }
  }
  Proceed();
}

}  // namespace sam3
