// A stream's prompts, which may come and go while it runs.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pipeline/error_reason.h"
#include "pipeline/local_stream.h"

namespace sam3 {
namespace {

std::vector<ConceptPrompt>::const_iterator FindPrompt(
    const std::vector<ConceptPrompt>& prompts, const std::string& id) {
  return std::find_if(
      prompts.begin(), prompts.end(),
      [&id](const ConceptPrompt& prompt) { return prompt.prompt_id == id; });
}

}  // namespace

void LocalStream::UpdatePrompts(PromptUpdate update) {
  {
    const absl::MutexLock lock(&mutex_);
    AnnounceAll(std::exchange(update.rejected, {}));
    if (objects_.has_value()) {
      UpdateObjects(std::move(update));
    } else {
      UpdateConcepts(std::move(update));
    }
    Announce(PromptsUpdated{sequencer_.frames_in()});
  }
  Proceed();
}

void LocalStream::AnnounceAll(std::vector<PromptRejected> rejected) {
  for (PromptRejected& one : rejected) Announce(std::move(one));
}

void LocalStream::UpdateConcepts(PromptUpdate update) {
  std::vector<ConceptPrompt> next = *prompts_;
  for (const std::string& id : update.remove) {
    const auto found = FindPrompt(next, id);
    if (found == next.end()) {
      Announce(PromptRejected{
          id, WithReason(absl::NotFoundError(absl::StrCat(
                             "the stream has no prompt \"", id, "\"")),
                         reason::kPromptNotFound)});
    } else {
      next.erase(found);
    }
  }
  for (ConceptPrompt& prompt : update.add) {
    absl::Status refused = CheckAdded(prompt, next);
    if (refused.ok()) {
      prompt.stream_number = next_prompt_number_++;
      next.push_back(std::move(prompt));
    } else {
      Announce(PromptRejected{
          prompt.prompt_id,
          WithReason(std::move(refused), reason::kInvalidRequest)});
    }
  }
  prompts_ =
      std::make_shared<const std::vector<ConceptPrompt>>(std::move(next));
  const absl::Status other =
      WithReason(absl::InvalidArgumentError(
                     "this stream looks for concepts; open one with `objects`"),
                 reason::kInvalidRequest);
  for (const int64_t id : update.drop) {
    Announce(PromptRejected{absl::StrCat(id), other});
  }
  for (const auto* objects :
       {&update.describe, &update.preview, &update.commit}) {
    for (const GivenObject& object : *objects) {
      Announce(PromptRejected{absl::StrCat(object.object_id), other});
    }
  }
}

absl::Status LocalStream::CheckAdded(
    const ConceptPrompt& prompt,
    const std::vector<ConceptPrompt>& others) const {
  if (prompt.prompt_id.empty() ||
      FindPrompt(others, prompt.prompt_id) != others.end()) {
    return absl::AlreadyExistsError(
        "an added prompt needs a prompt_id that the stream does not have yet");
  }
  if (others.size() >= config_.max_prompts) {
    return absl::InvalidArgumentError(
        absl::StrCat("the stream has ", others.size(),
                     " prompts, and no more are allowed; remove one first"));
  }
  return absl::OkStatus();
}

}  // namespace sam3
