#include "inference/torch/click_batch.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "inference/torch/guard.h"
#include "inference/torch/torch_image.h"

namespace sam3 {
namespace {

// Prompts of one pass: the decoder's finest activations are 10 MB for each in
// the published model.
constexpr size_t kPromptsPerPass = 16;

// Prompts that go through the decoder together, and what it said.
struct ClickPass {
  std::vector<size_t> items;
  ObjectMasks masks;
  at::Tensor chosen;  // [N], the one mask where one is wanted
};

// [1, 1, h, w] on the device of `like`, in its type.
at::Tensor ToTensor(const LowResMask& mask, const at::Tensor& like) {
  return at::tensor(mask.values)
      .view({1, 1, mask.height, mask.width})
      .to(like.options());
}

class PendingClicks final : public Pending<std::vector<ObjectCandidates>> {
 public:
  PendingClicks(const InteractiveConfig& config, std::vector<ClickItem> items)
      : config_(config), items_(std::move(items)), started_(clock_.Now()) {}

  void Launch(const InteractiveHead& head) {
    using Kind = std::tuple<const ImageEmbedding*, int64_t, bool>;
    std::map<Kind, std::vector<size_t>> kinds;
    for (size_t i = 0; i < items_.size(); ++i) {
      kinds[{items_[i].image.get(),
             ObjectPromptEncoder::TokenCount(items_[i].prompt),
             items_[i].earlier != nullptr}]
          .push_back(i);
    }
    for (const auto& [kind, members] : kinds) {
      for (size_t at = 0; at < members.size(); at += kPromptsPerPass) {
        const size_t end = std::min(members.size(), at + kPromptsPerPass);
        passes_.push_back(
            Run(head, {members.begin() + static_cast<std::ptrdiff_t>(at),
                       members.begin() + static_cast<std::ptrdiff_t>(end)}));
      }
    }
  }

  absl::StatusOr<std::vector<ObjectCandidates>> Take() override {
    std::vector<ObjectCandidates> results(items_.size());
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      for (const ClickPass& pass : passes_) Collect(pass, &results);
      return absl::OkStatus();
    }));
    const absl::Duration spent = clock_.Now() - started_;
    for (ObjectCandidates& result : results) result.click = spent;
    passes_.clear();
    return results;
  }

 private:
  ClickPass Run(const InteractiveHead& head, std::vector<size_t> members) {
    std::vector<ObjectQuery> queries;
    for (const size_t i : members) {
      const ClickItem& item = items_[i];
      ObjectQuery query;
      query.features =
          &static_cast<const TorchImage&>(*item.image).object_features(head);
      query.prompt = item.prompt;
      if (item.earlier != nullptr) {
        query.earlier = ToTensor(*item.earlier, query.features->coarse);
      }
      queries.push_back(std::move(query));
    }
    ClickPass pass{std::move(members), head.Segment(queries), {}};
    pass.chosen = ChooseStableMask(pass.masks, config_);
    return pass;
  }

  void Collect(const ClickPass& pass, std::vector<ObjectCandidates>* results) {
    const at::Tensor stability =
        MaskStability(pass.masks.logits, config_.stability_delta).cpu();
    const at::Tensor logits = pass.masks.logits.cpu().contiguous();
    const at::Tensor iou = pass.masks.predicted_iou.cpu();
    const at::Tensor score = pass.masks.object_logit.sigmoid().cpu();
    const at::Tensor chosen = pass.chosen.cpu();
    for (size_t i = 0; i < pass.items.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      ObjectCandidates& result = (*results)[pass.items[i]];
      result.object_score = score[row].item<float>();
      const auto add = [&](int64_t k) {
        const at::Tensor mask = logits[row][k];
        const float* values = mask.const_data_ptr<float>();
        result.candidates.push_back(
            {iou[row][k].item<float>(),
             stability[row][k].item<float>(),
             {static_cast<int>(mask.size(1)), static_cast<int>(mask.size(0)),
              std::vector<float>(values, values + mask.numel()), 0.0f}});
      };
      if (items_[pass.items[i]].multimask) {
        for (int64_t k = 1; k < iou.size(1); ++k) add(k);
      } else {
        add(chosen[row].item<int64_t>());
      }
      std::stable_sort(result.candidates.begin(), result.candidates.end(),
                       [](const ObjectCandidate& a, const ObjectCandidate& b) {
                         return a.predicted_iou > b.predicted_iou;
                       });
    }
  }

  const RealClock clock_;
  const InteractiveConfig config_;
  // Keeps the embeddings alive while the device works on them.
  const std::vector<ClickItem> items_;
  const absl::Time started_;
  std::vector<ClickPass> passes_;
};

}  // namespace

std::unique_ptr<Pending<std::vector<ObjectCandidates>>> LaunchClicks(
    const InteractiveHead& head, const InteractiveConfig& config,
    absl::Span<const ClickItem> items) {
  auto pending = std::make_unique<PendingClicks>(
      config, std::vector<ClickItem>(items.begin(), items.end()));
  pending->Launch(head);
  return pending;
}

}  // namespace sam3
