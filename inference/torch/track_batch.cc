#include "inference/torch/track_batch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "inference/association/concept_frame.h"
#include "inference/association/seed_propagation.h"
#include "inference/torch/torch_image.h"

namespace sam3 {
namespace {

// The object's logit in memory, by whether it is to be seen.
constexpr float kPresent = 10.0f;

// One stream's frame: what it will be when all has gone well.
class FrameStep {
 public:
  FrameStep(const TrackItem& item, const InteractiveHead& clicks,
            const ModelConfig& config)
      : item_(item),
        tracks_(static_cast<TorchTracks&>(*item.tracks)),
        config_(config),
        features_(static_cast<const TorchImage&>(*item.image)
                      .object_features(clicks)),
        table_(tracks_.table) {
    DropOtherPrompts();
    // As many frames as the reference counts in a stream of concepts.
    const int64_t window =
        std::min<int64_t>(tracks_.frames + 1, config.tracker->pointer_count);
    for (const int64_t id : table_.ids()) {
      const auto bank = tracks_.banks.find(id);
      if (bank == tracks_.banks.end()) continue;
      queries_.push_back(
          {&features_, &bank->second, tracks_.frames, window, {}});
      ids_.push_back(id);
    }
  }

  const std::vector<TrackQuery>& queries() const { return queries_; }

  // The rows of `all`, from `first` on, are this stream's objects.
  TrackedFrame Associate(const TrackerHead& head, const TrackedObjects& all,
                         const at::Tensor& host_logits, int64_t first) {
    const at::Tensor scores =
        all.object_logit.defined() ? all.object_logit.cpu() : at::Tensor();
    std::vector<PropagatedObject> objects = StartSeeds();
    for (size_t i = 0; i < ids_.size(); ++i) {
      const int64_t row = first + static_cast<int64_t>(i);
      const at::Tensor mask = host_logits[row];
      const float* values = mask.const_data_ptr<float>();
      objects.push_back({ids_[i],
                         scores[row].item<float>(),
                         {values, values + mask.numel()}});
      rows_[ids_[i]] = row;
    }
    std::sort(objects.begin(), objects.end(),
              [](const PropagatedObject& a, const PropagatedObject& b) {
                return a.id < b.id;
              });
    const int side = config_.mask_size();
    const ConceptFrame frame(tracks_.frames, side, side, item_,
                             std::move(objects), &table_);
    Remember(head, all, frame);
    Describe(head, frame);
    return frame.Answer(std::move(dropped_));
  }

  void Commit() {
    for (const int64_t id : gone_) tracks_.banks.erase(id);
    for (Write& write : writes_) {
      const auto [bank, created] =
          tracks_.banks.try_emplace(write.id, MemoryBank(*config_.tracker, {}));
      bank->second.Add(tracks_.frames, write.conditioning,
                       std::move(write.memory), std::move(write.pointer));
    }
    tracks_.table = std::move(table_);
    const auto waits = [this](const TrackSeed& seed) {
      return tracks_.table.Contains(seed.id) && !started_.contains(seed.id);
    };
    tracks_.seeds.erase(std::stable_partition(tracks_.seeds.begin(),
                                              tracks_.seeds.end(), waits),
                        tracks_.seeds.end());
    ++tracks_.frames;
  }

 private:
  struct Write {
    int64_t id = 0;
    bool conditioning = false;
    at::Tensor memory;
    at::Tensor pointer;
  };

  void DropOtherPrompts() {
    std::set<int> others;
    for (const int64_t id : table_.ids()) others.insert(table_.at(id).prompt);
    for (const TrackedPrompt& prompt : item_.prompts) {
      others.erase(prompt.prompt);
    }
    for (const int prompt : others) {
      for (const TrackEvent& event : table_.RemovePrompt(prompt)) {
        gone_.push_back(event.id);
        dropped_.push_back(event);
      }
    }
  }

  // What seeds are on this frame; those that have a mask are remembered with
  // it.
  std::vector<PropagatedObject> StartSeeds() {
    std::vector<PropagatedObject> objects =
        PropagateSeeds(tracks_.seeds, table_, item_.prompts);
    for (const PropagatedObject& object : objects) {
      if (std::any_of(object.logits.begin(), object.logits.end(),
                      [](float logit) { return logit > 0; })) {
        started_.insert(object.id);
      }
    }
    return objects;
  }

  // [N, side, side] on the device.
  at::Tensor ToDevice(const std::vector<std::vector<float>>& masks) const {
    const int64_t side = config_.mask_size();
    std::vector<at::Tensor> rows;
    rows.reserve(masks.size());
    for (const std::vector<float>& mask : masks) {
      rows.push_back(at::tensor(mask).view({side, side}));
    }
    return at::stack(rows).to(features_.coarse.device());
  }

  void Remember(const TrackerHead& head, const TrackedObjects& all,
                const ConceptFrame& frame) {
    const FramePlan& plan = frame.plan();
    gone_.insert(gone_.end(), plan.removals.begin(), plan.removals.end());
    std::vector<int64_t> ids;
    std::vector<std::vector<float>> masks;
    std::vector<float> present;
    for (const MemoryWrite& write : plan.memory) {
      if (!rows_.contains(write.id)) continue;
      ids.push_back(write.id);
      masks.push_back(frame.MemoryLogits(write));
      present.push_back(write.present ? kPresent : -kPresent);
    }
    if (ids.empty()) return;
    const at::Tensor memory =
        head.Remember(features_, ToDevice(masks),
                      at::tensor(present).to(features_.coarse.device()),
                      /*described=*/false);
    for (size_t i = 0; i < ids.size(); ++i) {
      const int64_t id = ids[i];
      const bool promoted = std::any_of(
          plan.reconditioned.begin(), plan.reconditioned.end(),
          [id](const ObjectDetection& object) { return object.id == id; });
      writes_.push_back({id, promoted, memory[static_cast<int64_t>(i)].clone(),
                         all.pointers[rows_.at(id)].clone()});
    }
  }

  // Memories of objects that masks describe: new ones, and those of seeds.
  void Describe(const TrackerHead& head, const ConceptFrame& frame) {
    std::vector<int64_t> ids;
    std::vector<std::vector<float>> masks;
    for (const int64_t id : started_) {
      if (!table_.Contains(id)) continue;
      ids.push_back(id);
      masks.push_back(frame.SeedMask(id));
    }
    for (const ObjectDetection& birth : frame.plan().births) {
      ids.push_back(birth.id);
      masks.push_back(frame.BirthMask(birth));
    }
    if (ids.empty()) return;
    const at::Tensor given = ToDevice(masks);
    const TrackedObjects objects = head.StartFromMasks(features_, given);
    const at::Tensor memory =
        head.Remember(features_, head.GivenLogits(given), objects.object_logit,
                      /*described=*/true);
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      writes_.push_back(
          {ids[i], true, memory[row].clone(), objects.pointers[row].clone()});
    }
  }

  const TrackItem& item_;
  TorchTracks& tracks_;
  const ModelConfig& config_;
  const ObjectFeatures features_;
  TrackTable table_;
  std::vector<TrackQuery> queries_;
  std::vector<int64_t> ids_;         // of the queries
  std::set<int64_t> started_;        // seeds that have a mask on this frame
  std::map<int64_t, int64_t> rows_;  // of objects in the batch
  std::vector<int64_t> gone_;
  std::vector<TrackEvent> dropped_;
  std::vector<Write> writes_;
};

}  // namespace

TorchTracks::TorchTracks(const AssociationOptions& options, TrackSeeds start)
    : table(options), seeds(std::move(start.objects)) {
  for (const TrackSeed& seed : seeds) {
    table.Restore(seed.id, seed.prompt, seed.score, seed.phase);
  }
  table.StartIdsAt(start.next_id);
}

size_t TorchTracks::size_bytes() const {
  size_t bytes = 0;
  for (const TrackSeed& seed : seeds) {
    bytes += seed.mask.values.size() * sizeof(float);
  }
  for (const auto& [id, bank] : banks) bytes += bank.size_bytes();
  return bytes;
}

std::vector<TrackedFrame> TrackConcepts(const InteractiveHead& clicks,
                                        const TrackerHead& head,
                                        const ModelConfig& config,
                                        absl::Span<const TrackItem> items) {
  std::vector<std::unique_ptr<FrameStep>> steps;
  std::vector<TrackQuery> queries;
  for (const TrackItem& item : items) {
    steps.push_back(std::make_unique<FrameStep>(item, clicks, config));
    queries.insert(queries.end(), steps.back()->queries().begin(),
                   steps.back()->queries().end());
  }
  TrackedObjects all;
  at::Tensor host_logits;
  if (!queries.empty()) {
    all = head.Track(queries);
    host_logits = all.logits.cpu().contiguous();
  }
  std::vector<TrackedFrame> answers;
  int64_t first = 0;
  for (const auto& step : steps) {
    answers.push_back(step->Associate(head, all, host_logits, first));
    first += static_cast<int64_t>(step->queries().size());
  }
  for (const auto& step : steps) step->Commit();
  return answers;
}

}  // namespace sam3
