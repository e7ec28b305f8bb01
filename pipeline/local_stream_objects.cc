// A stream's given objects: what the client says of them, and what it asks.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/local_stream.h"
#include "pipeline/track_encoder.h"

namespace sam3 {

void LocalStream::UpdateObjects(PromptUpdate update) {
  if (cancelled_ || summarized_) return;
  const absl::Status other =
      WithReason(absl::InvalidArgumentError(
                     "this stream follows given objects; open another one for "
                     "prompts"),
                 reason::kInvalidRequest);
  for (const std::string& id : update.remove) {
    Announce(PromptRejected{id, other});
  }
  for (const ConceptPrompt& prompt : update.add) {
    Announce(PromptRejected{prompt.prompt_id, other});
  }
  AnnounceAll(objects_->Update(std::move(update), sequencer_.frames_in(),
                               core_.tracked_memory.Room()));
}

std::optional<EngineInput> LocalStream::TakeObjects(const VideoFrame& frame) {
  EngineInput input;
  input.image = frame.image;
  const absl::MutexLock lock(&mutex_);
  std::vector<PromptRejected> rejected;
  input.follow = objects_->Tell(frame.index, frame.image.width(),
                                frame.image.height(), &rejected);
  input.follow->tracks = tracked_.tracks();
  AnnounceAll(std::move(rejected));
  return input;
}

void LocalStream::EncodeAnswers(const ObjectLedger::Asked& asked,
                                const EngineOutput& output) {
  auto encoded = EncodeGiven(output.tracked->objects.front(), config_.options,
                             asked.width, asked.height);
  if (!encoded.ok()) {
    RefuseAnswers(asked, encoded.status());
  }
  {
    const absl::MutexLock lock(&mutex_);
    turns_.End(/*questions=*/true);
    if (encoded.ok()) questions_out_ -= asked.questions.size();
    for (size_t i = 0; encoded.ok() && i < encoded->size(); ++i) {
      if (!summarized_) ++untaken_answers_;
      Announce(ObjectPreview{asked.frame_index, std::move((*encoded)[i]),
                             asked.questions[i].commit});
    }
  }
  Proceed();
}

void LocalStream::RefuseAnswers(const ObjectLedger::Asked& asked,
                                const absl::Status& status) {
  const absl::MutexLock lock(&mutex_);
  questions_out_ -= asked.questions.size();
  for (const ObjectQuestion& question : asked.questions) {
    Announce(PromptRejected{absl::StrCat(question.described.id), status});
  }
}

bool LocalStream::QuestionsReady() const {
  // Answers leave in order: one batch of questions at a time.
  return objects_.has_value() && questions_out_ == 0 &&
         objects_->QuestionsReady();
}

}  // namespace sam3
