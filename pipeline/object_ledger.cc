#include "pipeline/object_ledger.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/prompt_geometry.h"

namespace sam3 {
namespace {

// That the engine answers in one pass.
constexpr size_t kQuestionsPerTurn = 16;

PromptRejected Rejected(int64_t id, absl::Status status) {
  return {absl::StrCat(id), std::move(status)};
}

PromptRejected Unknown(int64_t id) {
  return Rejected(id, WithReason(absl::NotFoundError(absl::StrCat(
                                     "the stream follows no object ", id,
                                     "; `describe` it first")),
                                 reason::kPromptNotFound));
}

absl::StatusOr<ObjectDescription> OnFrame(const GivenObject& object, int width,
                                          int height) {
  ObjectDescription out;
  out.id = object.object_id;
  out.mask = object.mask;
  if (object.mask != nullptr &&
      (object.mask->width != width || object.mask->height != height)) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat(
            "object.mask has ", object.mask->width, " x ", object.mask->height,
            " pixels, but the frame has ", width, " x ", height,
            "; send a mask of the frame's size")),
        reason::kInvalidRequest);
  }
  SAM3_ASSIGN_OR_RETURN(out.prompt,
                        ToObjectPrompt(object.points, object.box, width, height,
                                       "object", /*warnings=*/nullptr));
  return out;
}

}  // namespace

ObjectLedger::ObjectLedger(std::vector<GivenObject> first, int max_objects)
    : max_objects_(static_cast<size_t>(max_objects)) {
  Change change;
  for (GivenObject& object : first) {
    given_.insert(object.object_id);
    change.describe[object.object_id] = std::move(object);
  }
  changes_.push_back(std::move(change));
}

std::vector<PromptRejected> ObjectLedger::Update(PromptUpdate update,
                                                 int64_t frame_index,
                                                 const absl::Status& room) {
  std::vector<PromptRejected> rejected;
  // A change that the engine is being told stays as it is.
  const bool open = changes_.size() > (told_ ? 1 : 0) &&
                    changes_.back().frame_index == frame_index;
  if (!open) changes_.push_back({frame_index, {}, {}});
  Change& change = changes_.back();
  for (const int64_t id : update.drop) Drop(id, &change, &rejected);
  for (GivenObject& object : update.describe) {
    Describe(std::move(object), room, &change, &rejected);
  }
  Ask(std::move(update.preview), /*commit=*/false, &rejected);
  Ask(std::move(update.commit), /*commit=*/true, &rejected);
  RefuseOrphans(&rejected);
  return rejected;
}

void ObjectLedger::Drop(int64_t id, Change* change,
                        std::vector<PromptRejected>* rejected) {
  if (given_.erase(id) == 0) {
    rejected->push_back(Unknown(id));
    return;
  }
  change->describe.erase(id);
  change->drop.insert(id);
}

void ObjectLedger::Describe(GivenObject object, const absl::Status& room,
                            Change* change,
                            std::vector<PromptRejected>* rejected) {
  const int64_t id = object.object_id;
  if (!given_.contains(id) && !room.ok()) {
    rejected->push_back(Rejected(id, room));
    return;
  }
  if (!given_.contains(id) && given_.size() >= max_objects_) {
    rejected->push_back(Rejected(
        id, WithReason(absl::InvalidArgumentError(absl::StrCat(
                           "the stream follows ", given_.size(),
                           " objects, and no more are allowed; drop one "
                           "first")),
                       reason::kInvalidRequest)));
    return;
  }
  given_.insert(id);
  change->describe[id] = std::move(object);
}

void ObjectLedger::Ask(std::vector<GivenObject> objects, bool commit,
                       std::vector<PromptRejected>* rejected) {
  for (GivenObject& object : objects) {
    if (given_.contains(object.object_id)) {
      questions_.push_back({std::move(object), commit});
    } else {
      rejected->push_back(Unknown(object.object_id));
    }
  }
}

void ObjectLedger::RefuseOrphans(std::vector<PromptRejected>* rejected) {
  std::erase_if(questions_, [&](const Question& question) {
    const int64_t id = question.object.object_id;
    if (given_.contains(id)) return false;
    rejected->push_back(Unknown(id));
    return true;
  });
}

ObjectLedger::Change ObjectLedger::MergedUpTo(int64_t frame_index) {
  Change all;
  while (!changes_.empty() && changes_.front().frame_index <= frame_index) {
    Change& next = changes_.front();
    for (const int64_t id : next.drop) {
      all.describe.erase(id);
      all.drop.insert(id);
    }
    for (auto& [id, object] : next.describe) {
      all.describe[id] = std::move(object);
    }
    changes_.pop_front();
  }
  return all;
}

FollowItem ObjectLedger::Tell(int64_t frame_index, int width, int height,
                              std::vector<PromptRejected>* rejected) {
  Change change = MergedUpTo(frame_index);
  FollowItem item;
  std::erase_if(change.drop,
                [this](int64_t id) { return !followed_.contains(id); });
  item.drop.assign(change.drop.begin(), change.drop.end());
  for (auto at = change.describe.begin(); at != change.describe.end();) {
    auto described = OnFrame(at->second, width, height);
    if (described.ok()) {
      item.describe.push_back(*std::move(described));
      ++at;
      continue;
    }
    rejected->push_back(Rejected(at->first, std::move(described).status()));
    const bool stays =
        followed_.contains(at->first) && !change.drop.contains(at->first);
    if (!stays) given_.erase(at->first);
    at = change.describe.erase(at);
  }
  change.frame_index = frame_index;
  changes_.push_front(std::move(change));
  told_ = true;
  RefuseOrphans(rejected);
  return item;
}

void ObjectLedger::Analysed(int64_t frame_index, int width, int height) {
  SAM3_CHECK(told_);
  for (const int64_t id : changes_.front().drop) followed_.erase(id);
  for (const auto& [id, object] : changes_.front().describe) {
    followed_.insert(id);
  }
  changes_.pop_front();
  told_ = false;
  newest_ = {frame_index, width, height};
}

bool ObjectLedger::QuestionsReady() const {
  return newest_.has_value() &&
         std::any_of(questions_.begin(), questions_.end(),
                     [this](const Question& question) {
                       return followed_.contains(question.object.object_id);
                     });
}

std::optional<ObjectLedger::Asked> ObjectLedger::TakeQuestions(
    std::vector<PromptRejected>* rejected) {
  if (!QuestionsReady()) return std::nullopt;
  Asked asked{newest_->frame_index, newest_->width, newest_->height, {}};
  std::erase_if(questions_, [&](const Question& question) {
    const int64_t id = question.object.object_id;
    if (!followed_.contains(id) ||
        asked.questions.size() >= kQuestionsPerTurn) {
      return false;
    }
    auto described = OnFrame(question.object, asked.width, asked.height);
    if (described.ok()) {
      asked.questions.push_back({*std::move(described), question.commit});
    } else {
      rejected->push_back(Rejected(id, std::move(described).status()));
    }
    return true;
  });
  if (asked.questions.empty()) return std::nullopt;
  return asked;
}

std::vector<PromptRejected> ObjectLedger::RefuseQuestions() {
  std::vector<PromptRejected> rejected;
  for (const Question& question : questions_) {
    rejected.push_back(Rejected(
        question.object.object_id,
        WithReason(absl::NotFoundError(
                       "the stream has ended before a frame with the object "
                       "was analysed"),
                   reason::kPromptNotFound)));
  }
  questions_.clear();
  return rejected;
}

}  // namespace sam3
