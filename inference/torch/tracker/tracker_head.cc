#include "inference/torch/tracker/tracker_head.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "inference/torch/interactive/two_way_transformer.h"
#include "inference/torch/tracker/object_passes.h"

namespace sam3 {
namespace {

// Logits of objects that are not there.
constexpr double kAbsent = -1024.0;
// Logits of masks that are given: 20 m - 10.
constexpr double kGivenScale = 20.0;
constexpr double kGivenBias = -10.0;
constexpr int64_t kMaskShrink = 4;

constexpr char kModel[] = "tracker_model.";

// [N, h, w] to [N, side, side]; smoothed where it shrinks.
at::Tensor Resize(const at::Tensor& masks, int64_t side) {
  if (masks.size(-1) == side && masks.size(-2) == side) return masks;
  return at::_upsample_bilinear2d_aa(masks.unsqueeze(1), {side, side},
                                     /*align_corners=*/false)
      .squeeze(1);
}

// Distances [P], as parts of the longest, as sines, then cosines: [P,
// channels].
at::Tensor TimeCode(const at::Tensor& distances, int64_t channels) {
  const int64_t half = channels / 2;
  const at::Tensor index = at::arange(half, distances.options());
  const at::Tensor period =
      at::pow(10000.0, 2 * at::floor_divide(index, 2) / half);
  const at::Tensor angle = distances.unsqueeze(-1) / period;
  return at::cat({angle.sin(), angle.cos()}, -1);
}

// Those of several pictures after each other, or those of the one picture.
ObjectFeatures Together(const std::vector<const ObjectFeatures*>& pictures) {
  const bool one = std::all_of(
      pictures.begin(), pictures.end(),
      [&pictures](const ObjectFeatures* p) { return p == pictures.front(); });
  if (one) return *pictures.front();
  std::vector<at::Tensor> fine;
  std::vector<at::Tensor> middle;
  std::vector<at::Tensor> coarse;
  for (const ObjectFeatures* picture : pictures) {
    fine.push_back(picture->fine);
    middle.push_back(picture->middle);
    coarse.push_back(picture->coarse);
  }
  return {at::cat(fine), at::cat(middle), at::cat(coarse)};
}

// Groups of results back in the order of `members`, which name each row once.
TrackedObjects InOrder(const std::vector<TrackedObjects>& groups,
                       const std::vector<size_t>& members) {
  // One group is in order already.
  if (groups.size() == 1) return groups.front();
  const std::vector<int64_t> rows(members.begin(), members.end());
  const at::Tensor order = at::argsort(at::tensor(rows));
  const auto merge = [&](at::Tensor TrackedObjects::*part) {
    std::vector<at::Tensor> parts;
    parts.reserve(groups.size());
    for (const TrackedObjects& group : groups) parts.push_back(group.*part);
    const at::Tensor all = at::cat(parts);
    return all.index_select(0, order.to(all.device()));
  };
  return {merge(&TrackedObjects::logits), merge(&TrackedObjects::predicted_iou),
          merge(&TrackedObjects::object_logit),
          merge(&TrackedObjects::pointers)};
}

at::Tensor ReadOcclusion(WeightReader& weights, const TrackerConfig& config) {
  if (!config.mark_occlusion) return {};
  return weights
      .Read(std::string(kModel) + "occlusion_spatial_embedding_parameter",
            {1, config.memory_channels})
      .unsqueeze(0);
}

}  // namespace

TrackerHead::TrackerHead(WeightReader& weights, const ModelConfig& config,
                         const InteractiveHead& decoder)
    : config_(config),
      on_cpu_(weights.device().is_cpu()),
      decoder_(decoder),
      attention_(weights, std::string(kModel) + "memory_attention", config),
      encoder_(weights, std::string(kModel) + "memory_encoder", config),
      no_memory_(weights.Read(std::string(kModel) + "no_memory_embedding",
                              {1, 1, config.hidden_size()})),
      no_pointer_(weights.Read(std::string(kModel) + "no_object_pointer",
                               {1, config.hidden_size()})),
      frame_times_(
          weights
              .Read(std::string(kModel) + "memory_temporal_positional_encoding",
                    {config.tracker->memory_count, 1, 1,
                     config.tracker->memory_channels})
              .flatten(0, 2)),
      occlusion_(ReadOcclusion(weights, *config.tracker)),
      mask_weight_(weights.Read(std::string(kModel) + "mask_downsample.weight",
                                {1, 1, kMaskShrink, kMaskShrink})),
      mask_bias_(
          weights.Read(std::string(kModel) + "mask_downsample.bias", {1})),
      pointer_(ReadProjectedMlp(weights,
                                std::string(kModel) + "object_pointer_proj",
                                config.hidden_size(), config.hidden_size(),
                                config.hidden_size(), 3)) {
  if (config.tracker->time_pointers) {
    pointer_time_.emplace(
        weights,
        std::string(kModel) + "temporal_positional_encoding_projection_layer",
        config.hidden_size(), config.tracker->memory_channels);
  }
  // The reference has it and adds it to nothing.
  weights.Skip(std::string(kModel) + "no_memory_positional_encoding");
}

TrackedObjects TrackerHead::Track(absl::Span<const TrackQuery> queries) const {
  using Kind = std::tuple<size_t, size_t, int64_t, bool>;
  std::map<Kind, std::vector<size_t>> kinds;
  std::vector<MemoryBank::View> views;
  for (const TrackQuery& query : queries) {
    views.push_back(query.bank->LookBack(query.frame, query.pointer_window));
    kinds[{views.back().frames.size(), views.back().pointers.size(),
           ObjectPromptEncoder::TokenCount(query.prompt),
           Weighs(query.prompt, /*start=*/false)}]
        .push_back(views.size() - 1);
  }
  const ObjectPasses passes(kinds, on_cpu_);
  std::vector<TrackedObjects> groups(passes.count());
  passes.Run([&](size_t pass) {
    std::vector<MemoryBank::View> remembered;
    std::vector<int64_t> windows;
    std::vector<const ObjectFeatures*> pictures;
    std::vector<ObjectPrompt> prompts;
    for (const size_t i : passes.members(pass)) {
      remembered.push_back(views[i]);
      windows.push_back(queries[i].pointer_window);
      pictures.push_back(queries[i].features);
      prompts.push_back(queries[i].prompt);
    }
    const ObjectFeatures features = Together(pictures);
    const at::Tensor coarse =
        attention_(features.coarse, Gather(remembered, windows));
    groups[pass] = Choose(decoder_.Decode(prompts, coarse, {}, features),
                          Weighs(prompts.front(), /*start=*/false));
  });
  return InOrder(groups, passes.order());
}

TrackedObjects TrackerHead::Start(
    const ObjectFeatures& features,
    absl::Span<const ObjectPrompt> prompts) const {
  using Kind = std::pair<int64_t, bool>;
  std::map<Kind, std::vector<size_t>> kinds;
  for (size_t i = 0; i < prompts.size(); ++i) {
    kinds[{ObjectPromptEncoder::TokenCount(prompts[i]),
           Weighs(prompts[i], /*start=*/true)}]
        .push_back(i);
  }
  const ObjectPasses passes(kinds, on_cpu_);
  std::vector<TrackedObjects> groups(passes.count());
  passes.Run([&](size_t pass) {
    std::vector<ObjectPrompt> alike;
    for (const size_t i : passes.members(pass)) alike.push_back(prompts[i]);
    groups[pass] = Choose(
        decoder_.Decode(alike, features.coarse + no_memory_, {}, features),
        Weighs(alike.front(), /*start=*/true));
  });
  return InOrder(groups, passes.order());
}

TrackedObjects TrackerHead::StartFromMasks(const ObjectFeatures& features,
                                           const at::Tensor& masks) const {
  const int64_t side = config_.vit.image_size;
  const at::Tensor given = Resize(masks.to(at::kFloat), side);
  // The mask that the decoder sees is a learned reduction of the given one.
  const at::Tensor reduced =
      at::conv2d(given.unsqueeze(1).to(mask_weight_.scalar_type()),
                 mask_weight_, mask_bias_, {kMaskShrink, kMaskShrink})
          .to(at::kFloat)
          .squeeze(1);
  const at::Tensor earlier = Resize(reduced, config_.mask_size()).unsqueeze(1);
  const std::vector<ObjectPrompt> nothing(static_cast<size_t>(masks.size(0)));
  TrackedObjects objects =
      Choose(decoder_.Decode(nothing, features.coarse, earlier, features),
             /*weigh=*/true);
  const at::Tensor present =
      masks.flatten(1).gt(0).any(1).to(objects.pointers.scalar_type());
  const at::Tensor column = present.unsqueeze(1);
  objects.pointers = objects.pointers * column + no_pointer_ * (1 - column);
  objects.logits =
      Resize(given * kGivenScale + kGivenBias, config_.mask_size());
  objects.object_logit = present.to(at::kFloat) * kGivenScale + kGivenBias;
  objects.predicted_iou = at::ones_like(objects.object_logit);
  return objects;
}

at::Tensor TrackerHead::GivenLogits(const at::Tensor& masks) const {
  return Resize(masks.to(at::kFloat), config_.vit.image_size) * kGivenScale +
         kGivenBias;
}

at::Tensor TrackerHead::Remember(const ObjectFeatures& features,
                                 const at::Tensor& logits,
                                 const at::Tensor& object_logit,
                                 bool described) const {
  const auto of = [&logits](absl::Span<const size_t> members) {
    return logits.narrow(0, static_cast<int64_t>(members.front()),
                         static_cast<int64_t>(members.size()));
  };
  return Remember(features, of, object_logit, described);
}

at::Tensor TrackerHead::Remember(const ObjectFeatures& features,
                                 LogitsOf logits,
                                 const at::Tensor& object_logit,
                                 bool described) const {
  const ObjectPasses passes(object_logit.size(0), on_cpu_);
  std::vector<at::Tensor> memories(passes.count());
  passes.Run([&](size_t pass) {
    const absl::Span<const size_t> members = passes.members(pass);
    memories[pass] = RememberTogether(
        features, logits(members),
        object_logit.narrow(0, static_cast<int64_t>(members.front()),
                            static_cast<int64_t>(members.size())),
        described);
  });
  return at::cat(memories);
}

at::Tensor TrackerHead::RememberTogether(const ObjectFeatures& features,
                                         const at::Tensor& logits,
                                         const at::Tensor& object_logit,
                                         bool described) const {
  const at::Tensor large = Resize(logits.to(at::kFloat), encoder_.mask_side());
  at::Tensor mask = described ? large.gt(0).to(at::kFloat) : at::sigmoid(large);
  mask.mul_(config_.tracker->mask_scale).add_(config_.tracker->mask_bias);
  at::Tensor memory = encoder_(features.coarse, mask.unsqueeze(1));
  if (occlusion_.defined()) {
    const at::Tensor absent =
        object_logit.le(0).to(memory.scalar_type()).view({-1, 1, 1});
    memory = memory + absent * occlusion_;
  }
  return memory.to(at::kBFloat16);
}

at::Tensor TrackerHead::AtPictureSize(const at::Tensor& logits) const {
  const int64_t side = config_.vit.image_size;
  return at::upsample_bilinear2d(logits.to(at::kFloat).unsqueeze(1),
                                 {side, side}, /*align_corners=*/false)
      .squeeze(1);
}

TrackedObjects TrackerHead::Choose(const ObjectMasks& masks, bool weigh) const {
  const at::Tensor best = masks.predicted_iou.slice(1, 1).argmax(-1).add_(1);
  const at::Tensor row =
      weigh ? best : ChooseStableMask(masks, *config_.interactive);
  const at::Tensor index = at::arange(row.size(0), row.options());
  const auto pick = [&index](const at::Tensor& from, const at::Tensor& at) {
    return at::index(from, {index, at});
  };
  TrackedObjects objects;
  objects.object_logit = masks.object_logit;
  objects.predicted_iou = pick(masks.predicted_iou, row);
  const at::Tensor present = masks.object_logit.gt(0);
  objects.logits =
      at::where(present.view({-1, 1, 1}), pick(masks.logits, row), kAbsent);
  // A mask that takes the place of an unstable one leaves its token behind.
  const at::Tensor token =
      pick(masks.mask_tokens, weigh ? best : at::zeros_like(row));
  const at::Tensor column = present.unsqueeze(1).to(no_pointer_.scalar_type());
  objects.pointers = pointer_(token) * column + no_pointer_ * (1 - column);
  return objects;
}

bool TrackerHead::Weighs(const ObjectPrompt& prompt, bool start) const {
  const TrackerConfig& config = *config_.tracker;
  // A box is two clicks to the reference.
  const auto clicks =
      static_cast<int>(prompt.clicks.size()) + (prompt.box.has_value() ? 2 : 0);
  return config.weigh_at_start && (start || config.weigh_while_tracking) &&
         clicks >= config.weigh_from_clicks && clicks <= config.weigh_to_clicks;
}

ObjectMemories TrackerHead::Gather(const std::vector<MemoryBank::View>& views,
                                   absl::Span<const int64_t> windows) const {
  const auto count = static_cast<int64_t>(views.size());
  const int64_t channels = config_.tracker->memory_channels;
  std::vector<at::Tensor> frames;
  std::vector<at::Tensor> pointers;
  std::vector<int64_t> rows;
  std::vector<float> distances;
  for (size_t i = 0; i < views.size(); ++i) {
    for (const MemoryBank::Frame& frame : views[i].frames) {
      frames.push_back(frame.memory);
      rows.push_back(frame.time_row);
    }
    const auto span = static_cast<float>(std::max<int64_t>(windows[i] - 1, 1));
    for (const MemoryBank::Pointer& pointer : views[i].pointers) {
      pointers.push_back(pointer.pointer.view({-1, channels}));
      distances.push_back(static_cast<float>(pointer.distance) / span);
    }
  }
  const auto options = no_memory_.options();
  ObjectMemories memories;
  memories.frames = at::cat(frames).to(options).view({count, -1, channels});
  memories.frame_times =
      frame_times_.index_select(0, at::tensor(rows).to(options.device()))
          .view({count, -1, channels});
  // A pointer is as many tokens as fit into it, all of one time.
  memories.pointers = at::cat(pointers).to(options).view({count, -1, channels});
  memories.pointer_times =
      PointerTimes(at::tensor(distances).to(options.device()))
          .repeat_interleave(config_.hidden_size() / channels, 0)
          .view({count, -1, channels});
  return memories;
}

at::Tensor TrackerHead::PointerTimes(const at::Tensor& distances) const {
  if (!pointer_time_.has_value()) {
    return at::zeros({distances.size(0), config_.tracker->memory_channels},
                     no_memory_.options());
  }
  return (*pointer_time_)(
      TimeCode(distances, config_.hidden_size()).to(no_memory_.scalar_type()));
}

}  // namespace sam3
