#include "inference/torch/given_batch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "inference/base/status_macros.h"
#include "inference/torch/torch_image.h"

namespace sam3 {
namespace {

// Enough for every correction that a session of somebody at work has.
constexpr int64_t kDescribedPointers = 32;

// [1, S, S] of zeros and ones, S the side of the model's picture; as the
// reference's processor reduces masks.
at::Tensor Stretch(const GivenMask& mask, int64_t side, at::Device device) {
  at::Tensor columns =
      at::empty({int64_t{mask.width} * mask.height}, at::kByte);
  auto* pixel = columns.mutable_data_ptr<uint8_t>();
  uint8_t inside = 0;
  for (const uint32_t count : mask.counts) {
    pixel = std::fill_n(pixel, count, inside);
    inside ^= 1;
  }
  const at::Tensor rows = columns.view({mask.width, mask.height})
                              .t()
                              .to(device)
                              .to(at::kFloat)
                              .contiguous();
  if (mask.width == side && mask.height == side) return rows.unsqueeze(0);
  return at::_upsample_bilinear2d_aa(rows.view({1, 1, mask.height, mask.width}),
                                     {side, side}, /*align_corners=*/false)
      .squeeze(0)
      .ge(0.5)
      .to(at::kFloat);
}

// One stream's frame or questions: what it will be when all has gone well.
class GivenStep {
 public:
  GivenStep(const FollowItem& item, const InteractiveHead& clicks,
            const TrackerHead& head, const ModelConfig& config)
      : item_(item),
        tracks_(static_cast<TorchGivenTracks&>(*item.tracks)),
        head_(head),
        config_(config),
        asked_(item.image == nullptr),
        frame_(asked_ ? tracks_.frames - 1 : tracks_.frames),
        features_(Picture(item, tracks_).object_features(clicks)) {
    if (asked_) {
      PlanAnswers();
    } else {
      PlanFrame();
    }
  }

  const std::vector<TrackQuery>& queries() const { return queries_; }

  // The rows of `all`, from `first` on, are this stream's queries.
  TrackedFrame Run(const TrackedObjects& all, int64_t first) {
    for (size_t i = 0; i < queried_.size(); ++i) {
      Give(all, first + static_cast<int64_t>(i), &parts_[queried_[i]]);
    }
    StartFromPrompts();
    for (Part& part : parts_) {
      if (part.described != nullptr && part.described->mask != nullptr) {
        StartFromMask(&part);
      }
    }
    Remember();
    return Answer();
  }

  void Commit() {
    if (!asked_) {
      for (const int64_t id : item_.drop) tracks_.objects.erase(id);
      tracks_.newest = item_.image;
      tracks_.frames = frame_ + 1;
    }
    for (Part& part : parts_) {
      if (!part.remembered) continue;
      const auto at =
          tracks_.objects
              .try_emplace(part.id,
                           TorchGivenTracks::Object{MakeBank(), true, frame_})
              .first;
      at->second.bank.Add(frame_, part.described != nullptr,
                          std::move(part.memory), std::move(part.pointer));
      if (asked_) continue;
      at->second.visible = part.visible;
      if (part.described != nullptr) at->second.described_on = frame_;
    }
  }

 private:
  // One object of the answer.
  struct Part {
    int64_t id = 0;
    // Null while it is only followed.
    const ObjectDescription* described = nullptr;
    bool starts = false;
    bool remembered = false;
    at::Tensor logits;        // [4 * grid, 4 * grid]
    at::Tensor object_logit;  // []
    at::Tensor pointer;       // [C]
    at::Tensor given;         // [1, S, S], where it is a mask
    at::Tensor memory;
    bool visible = false;
  };

  static const TorchImage& Picture(const FollowItem& item,
                                   const TorchGivenTracks& tracks) {
    const auto& image = item.image == nullptr ? tracks.newest : item.image;
    SAM3_CHECK(image != nullptr);
    return static_cast<const TorchImage&>(*image);
  }

  MemoryBank MakeBank() const {
    return MemoryBank(
        *config_.tracker,
        {.max_conditioning_pointers = kDescribedPointers, .redo_newest = true});
  }

  void PlanFrame() {
    std::map<int64_t, const ObjectDescription*> described;
    for (const ObjectDescription& object : item_.describe) {
      described[object.id] = &object;
    }
    std::set<int64_t> ids;
    for (const auto& [id, object] : tracks_.objects) ids.insert(id);
    for (const int64_t id : item_.drop) ids.erase(id);
    for (const auto& [id, object] : described) ids.insert(id);
    for (const int64_t id : ids) {
      const auto found = described.find(id);
      Part part;
      part.id = id;
      part.remembered = true;
      part.starts = found != described.end();
      if (part.starts) part.described = found->second;
      AddPart(std::move(part), config_.tracker->pointer_count);
    }
  }

  void PlanAnswers() {
    // As many frames as the reference counts where a frame is looked at again.
    const int64_t window =
        std::min<int64_t>(frame_ + 1, config_.tracker->pointer_count);
    for (const ObjectQuestion& question : item_.questions) {
      Part part;
      part.id = question.described.id;
      part.described = &question.described;
      part.remembered = question.commit;
      part.starts = tracks_.objects.at(part.id).described_on == frame_;
      AddPart(std::move(part), window);
    }
  }

  void AddPart(Part part, int64_t window) {
    const bool masked =
        part.described != nullptr && part.described->mask != nullptr;
    if (!part.starts && !masked) {
      queried_.push_back(parts_.size());
      queries_.push_back({&features_, &tracks_.objects.at(part.id).bank, frame_,
                          window,
                          part.described == nullptr ? ObjectPrompt()
                                                    : part.described->prompt});
    }
    parts_.push_back(std::move(part));
  }

  static void Give(const TrackedObjects& from, int64_t row, Part* part) {
    part->logits = from.logits[row];
    part->object_logit = from.object_logit[row];
    part->pointer = from.pointers[row].clone();
  }

  void StartFromPrompts() {
    std::vector<Part*> starting;
    std::vector<ObjectPrompt> prompts;
    for (Part& part : parts_) {
      if (!part.starts || part.described->mask != nullptr) continue;
      starting.push_back(&part);
      prompts.push_back(part.described->prompt);
    }
    if (starting.empty()) return;
    const TrackedObjects started = head_.Start(features_, prompts);
    for (size_t i = 0; i < starting.size(); ++i) {
      Give(started, static_cast<int64_t>(i), starting[i]);
    }
  }

  void StartFromMask(Part* part) {
    part->given = Stretch(*part->described->mask, config_.vit.image_size,
                          features_.coarse.device());
    Give(head_.StartFromMasks(features_, part->given), 0, part);
  }

  // The mask by way of which the reference remembers it: [1, S, S].
  at::Tensor Large(const Part& part) const {
    return part.given.defined() ? head_.GivenLogits(part.given)
                                : head_.AtPictureSize(part.logits.unsqueeze(0));
  }

  void Remember() {
    std::vector<Part*> kept;
    for (Part& part : parts_) {
      if (part.remembered) kept.push_back(&part);
    }
    if (kept.empty()) return;
    std::vector<at::Tensor> scores;
    scores.reserve(kept.size());
    for (const Part* part : kept) scores.push_back(part->object_logit);
    const auto large = [this, &kept](absl::Span<const size_t> members) {
      std::vector<at::Tensor> masks;
      masks.reserve(members.size());
      for (const size_t i : members) masks.push_back(Large(*kept[i]));
      return at::cat(masks);
    };
    // One description is enough for the reference to take every object's mask
    // on the frame as it is.
    const bool described = asked_ || !item_.describe.empty();
    const at::Tensor memory =
        head_.Remember(features_, large, at::stack(scores), described);
    for (size_t i = 0; i < kept.size(); ++i) {
      kept[i]->memory = memory[static_cast<int64_t>(i)].clone();
    }
  }

  TrackedFrame Answer() {
    TrackedFrame frame;
    frame.objects.emplace_back();
    if (!parts_.empty()) AddInstances(&frame.objects.front());
    if (!asked_) TellEvents(&frame.events);
    return frame;
  }

  // Waits for the device once, whatever the number of objects.
  void AddInstances(std::vector<TrackedInstance>* instances) {
    std::vector<at::Tensor> masks;
    std::vector<at::Tensor> logits;
    for (const Part& part : parts_) {
      masks.push_back(part.logits);
      logits.push_back(part.object_logit);
    }
    const at::Tensor host_masks = at::stack(masks).cpu().contiguous();
    const at::Tensor scores = at::stack(logits).sigmoid().cpu();
    const int64_t size = host_masks[0].numel();
    for (size_t i = 0; i < parts_.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      const float* values = host_masks.const_data_ptr<float>() + row * size;
      const auto score = scores[row].item<float>();
      // More likely there than not: the logit is positive.
      const bool visible =
          score > 0.5f &&
          std::any_of(values, values + size, [](float v) { return v > 0; });
      parts_[i].visible = visible;
      instances->push_back(
          {parts_[i].id,
           visible ? TrackPhase::kConfirmed : TrackPhase::kLost,
           score,
           score,
           {static_cast<int>(host_masks.size(2)),
            static_cast<int>(host_masks.size(1)),
            std::vector<float>(values, values + size), 0.0f}});
    }
  }

  void TellEvents(std::vector<TrackEvent>* events) const {
    for (const int64_t id : item_.drop) {
      events->push_back({id, 0, TrackPhase::kEnded});
    }
    for (const Part& part : parts_) {
      const bool dropped = std::find(item_.drop.begin(), item_.drop.end(),
                                     part.id) != item_.drop.end();
      const auto known = tracks_.objects.find(part.id);
      const bool is_new = dropped || known == tracks_.objects.end();
      if (is_new) events->push_back({part.id, 0, TrackPhase::kConfirmed});
      const bool was_visible = is_new || known->second.visible;
      if (was_visible == part.visible) continue;
      events->push_back(
          {part.id, 0,
           part.visible ? TrackPhase::kRecovered : TrackPhase::kLost});
    }
    std::stable_sort(
        events->begin(), events->end(),
        [](const TrackEvent& a, const TrackEvent& b) { return a.id < b.id; });
  }

  const FollowItem& item_;
  TorchGivenTracks& tracks_;
  const TrackerHead& head_;
  const ModelConfig& config_;
  const bool asked_;
  const int64_t frame_;
  const ObjectFeatures features_;
  std::vector<Part> parts_;
  std::vector<TrackQuery> queries_;
  std::vector<size_t> queried_;  // the queries' parts
};

}  // namespace

size_t TorchGivenTracks::size_bytes() const {
  size_t bytes = newest == nullptr ? 0 : newest->size_bytes();
  for (const auto& [id, object] : objects) bytes += object.bank.size_bytes();
  return bytes;
}

std::vector<TrackedFrame> FollowGiven(const InteractiveHead& clicks,
                                      const TrackerHead& head,
                                      const ModelConfig& config,
                                      absl::Span<const FollowItem> items) {
  std::vector<std::unique_ptr<GivenStep>> steps;
  std::vector<TrackQuery> queries;
  for (const FollowItem& item : items) {
    steps.push_back(std::make_unique<GivenStep>(item, clicks, head, config));
    queries.insert(queries.end(), steps.back()->queries().begin(),
                   steps.back()->queries().end());
  }
  TrackedObjects all;
  if (!queries.empty()) all = head.Track(queries);
  std::vector<TrackedFrame> answers;
  int64_t first = 0;
  for (const auto& step : steps) {
    answers.push_back(step->Run(all, first));
    first += static_cast<int64_t>(step->queries().size());
  }
  for (const auto& step : steps) step->Commit();
  return answers;
}

}  // namespace sam3
