#include "inference/fake_engine.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "inference/base/status_macros.h"
#include "inference/fake_given_tracks.h"
#include "inference/fake_image.h"
#include "inference/fake_tokenizer.h"
#include "inference/fake_tracks.h"

namespace sam3 {
namespace {

class FakeText final : public TextEmbedding {
 public:
  explicit FakeText(const TokenizedText& text) {
    for (int i = 0; i < text.length; ++i) {
      for (int c = 0; c < kFakeColourCount; ++c) {
        if (text.ids[i] == FakeTokenId(kFakeColourNames[c])) colour = c;
      }
    }
  }
  size_t size_bytes() const override { return sizeof(*this); }
  int colour = kNoFakeColour;
};

Detections FindAreas(const GroundItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  int colour = static_cast<const FakeText&>(*item.text).colour;
  for (const Exemplar& exemplar : item.exemplars) {
    if (exemplar.label == ExemplarLabel::kPositive) {
      colour = image.ColourAt((exemplar.box.x0 + exemplar.box.x1) / 2,
                              (exemplar.box.y0 + exemplar.box.y1) / 2);
      break;
    }
  }
  Detections result;
  if (colour == kNoFakeColour) return result;
  const std::vector<FakeArea> areas = image.AreasOf(colour);
  result.presence_score = areas.empty() ? 0.0f : 1.0f;
  for (size_t i = 0; i < areas.size(); ++i) {
    const FakeArea& area = areas[i];
    Detection detection;
    detection.query_score =
        0.99f - 0.01f * static_cast<float>(std::min<size_t>(i, 90));
    detection.presence_score = 1.0f;
    detection.score = detection.query_score;
    detection.query_index = static_cast<int>(i);
    detection.box = {static_cast<float>(area.x0) / kFakeGrid,
                     static_cast<float>(area.y0) / kFakeGrid,
                     static_cast<float>(area.x1) / kFakeGrid,
                     static_cast<float>(area.y1) / kFakeGrid};
    if (detection.score <= item.options.score_threshold) continue;
    if (item.options.max_detections > 0 &&
        result.detections.size() >=
            static_cast<size_t>(item.options.max_detections)) {
      break;
    }
    if (item.options.want_masks && item.options.mask_logits) {
      detection.mask = MaskOfFakeAreas({area});
    } else if (item.options.want_masks) {
      detection.mask.width = kFakeGrid;
      detection.mask.height = kFakeGrid;
      detection.mask.values.assign(kFakeCells, 0.0f);
      for (int y = area.y0; y < area.y1; ++y) {
        std::fill_n(detection.mask.values.begin() +
                        std::ptrdiff_t{y} * kFakeGrid + area.x0,
                    area.x1 - area.x0, 1.0f);
      }
    }
    result.detections.push_back(std::move(detection));
  }
  return result;
}

ObjectCandidates MaskClicked(const ClickItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  const auto object = image.ObjectAt(item.prompt);
  ObjectCandidates result;
  result.object_score = object.has_value() ? 0.99f : 0.01f;
  std::vector<FakeArea> under;
  std::vector<FakeArea> same;
  if (object.has_value()) {
    under = {object->area};
    same = image.AreasOf(object->colour);
  }
  const float iou = item.earlier == nullptr ? 0.9f : 0.95f;
  result.candidates.push_back({iou, 1.0f, MaskOfFakeAreas(under)});
  if (item.multimask) {
    result.candidates.push_back({0.6f, 1.0f, MaskOfFakeAreas(same)});
    result.candidates.push_back(
        {0.2f, 1.0f,
         MaskOfFakeAreas(
             {{.x0 = 0, .y0 = 0, .x1 = kFakeGrid, .y1 = kFakeGrid}})});
  }
  return result;
}

template <typename T>
class FakePending final : public Pending<T> {
 public:
  explicit FakePending(T results) : results_(std::move(results)) {}
  absl::StatusOr<T> Take() override { return std::move(results_); }

 private:
  T results_;
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(std::shared_ptr<FakeEngineScript> script)
      : script_(std::move(script)) {
    info_.model_name = "fake (coloured areas)";
    info_.model_fingerprint = "00000000000000000000000000000000";
    info_.device = "cpu";
    info_.device_name = "none";
    info_.dtype = "fp32";
    info_.image_size = kFakeGrid;
    info_.mask_size = kFakeGrid;
    info_.query_count = 200;
    info_.takes_clicks = script_->takes_clicks;
    info_.tracks = script_->tracks;
  }

  HostAllocator& host_allocator() override { return allocator_; }
  const EngineInfo& info() const override { return info_; }
  EngineMemory memory() const override { return {}; }
  absl::Status Warmup(absl::Span<const int>) override {
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::shared_ptr<const ImageEmbedding>>>
  EncodeImages(absl::Span<const Image> images) override {
    script_->PassGate(FakeEngineScript::Step::kEncodeImages);
    SAM3_RETURN_IF_ERROR(script_->TakeFailure());
    script_->images_encoded += static_cast<int64_t>(images.size());
    absl::SleepFor(script_->latency().per_image *
                   static_cast<int64_t>(images.size()));
    std::vector<std::shared_ptr<const ImageEmbedding>> embeddings;
    for (const Image& image : images) {
      embeddings.push_back(std::make_shared<FakeImage>(image));
    }
    return embeddings;
  }

  absl::StatusOr<std::vector<std::shared_ptr<const TextEmbedding>>> EncodeTexts(
      absl::Span<const TokenizedText> texts) override {
    script_->texts_encoded += static_cast<int64_t>(texts.size());
    std::vector<std::shared_ptr<const TextEmbedding>> embeddings;
    for (const TokenizedText& text : texts) {
      embeddings.push_back(std::make_shared<FakeText>(text));
    }
    return embeddings;
  }

  absl::StatusOr<std::unique_ptr<Pending<std::vector<Detections>>>> Ground(
      absl::Span<const GroundItem> items) override {
    script_->PassGate(FakeEngineScript::Step::kGround);
    SAM3_RETURN_IF_ERROR(script_->TakeFailure());
    const auto count = static_cast<int64_t>(items.size());
    script_->pairs_grounded += count;
    ++script_->ground_calls;
    if (count > script_->largest_batch) script_->largest_batch = count;
    const FakeEngineScript::Latency latency = script_->latency();
    absl::SleepFor(latency.fixed + latency.per_pair * count);
    std::vector<Detections> results;
    for (const GroundItem& item : items) {
      if (item.options.want_masks) ++script_->pairs_with_masks;
      results.push_back(FindAreas(item));
    }
    return std::make_unique<FakePending<std::vector<Detections>>>(
        std::move(results));
  }

  absl::StatusOr<std::unique_ptr<Pending<std::vector<ObjectCandidates>>>> Click(
      absl::Span<const ClickItem> items) override {
    script_->PassGate(FakeEngineScript::Step::kGround);
    SAM3_RETURN_IF_ERROR(script_->TakeFailure());
    std::vector<ObjectCandidates> results;
    for (const ClickItem& item : items) {
      ++script_->objects_clicked;
      if (item.earlier != nullptr) ++script_->objects_refined;
      results.push_back(MaskClicked(item));
    }
    return std::make_unique<FakePending<std::vector<ObjectCandidates>>>(
        std::move(results));
  }

  std::shared_ptr<StreamTracks> NewTracks(const AssociationOptions& options,
                                          TrackSeeds seeds) override {
    return std::make_shared<FakeTracks>(options, std::move(seeds));
  }

  absl::StatusOr<std::vector<TrackedFrame>> Track(
      absl::Span<const TrackItem> items) override {
    SAM3_RETURN_IF_ERROR(script_->TakeFailure());
    std::vector<TrackedFrame> frames;
    for (const TrackItem& item : items) {
      ++script_->frames_tracked;
      frames.push_back(static_cast<FakeTracks&>(*item.tracks).Follow(item));
    }
    return frames;
  }

  std::shared_ptr<StreamTracks> NewGivenTracks() override {
    return std::make_shared<FakeGivenTracks>();
  }

  absl::StatusOr<std::vector<TrackedFrame>> Follow(
      absl::Span<const FollowItem> items) override {
    SAM3_RETURN_IF_ERROR(script_->TakeFailure());
    std::vector<TrackedFrame> frames;
    for (const FollowItem& item : items) {
      auto& tracks = static_cast<FakeGivenTracks&>(*item.tracks);
      if (item.image == nullptr) {
        script_->objects_asked += static_cast<int64_t>(item.questions.size());
        frames.push_back(tracks.Answer(item));
      } else {
        ++script_->frames_tracked;
        frames.push_back(tracks.Follow(item));
      }
    }
    return frames;
  }

  absl::StatusOr<std::vector<NamedTensor>> RawConceptOutputs(
      const Image&, const TokenizedText&, absl::Span<const Exemplar>) override {
    return absl::FailedPreconditionError("the fake engine has no tensors");
  }
  absl::StatusOr<std::vector<NamedTensor>> RawObjectOutputs(const Image&,
                                                            const ObjectPrompt&,
                                                            bool) override {
    return absl::FailedPreconditionError("the fake engine has no tensors");
  }

 private:
  const std::shared_ptr<FakeEngineScript> script_;
  HeapAllocator allocator_;
  EngineInfo info_;
};

}  // namespace

void FakeEngineScript::CloseGate(Step step) {
  const absl::MutexLock lock(&mutex_);
  closed_ = step;
}

void FakeEngineScript::OpenGate() {
  const absl::MutexLock lock(&mutex_);
  closed_.reset();
}

void FakeEngineScript::AwaitGateReached() {
  const absl::MutexLock lock(&mutex_);
  const auto reached = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return waiting_ > 0;
  };
  mutex_.Await(absl::Condition(&reached));
}

void FakeEngineScript::PassGate(Step step) {
  const absl::MutexLock lock(&mutex_);
  const auto open = [this, step]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ != step;
  };
  if (open()) return;
  ++waiting_;
  mutex_.Await(absl::Condition(&open));
  --waiting_;
}

void FakeEngineScript::FailNext(int calls, absl::Status status) {
  const absl::MutexLock lock(&mutex_);
  failures_ = calls;
  failure_ = std::move(status);
}

absl::Status FakeEngineScript::TakeFailure() {
  const absl::MutexLock lock(&mutex_);
  if (failures_ == 0) return absl::OkStatus();
  --failures_;
  return failure_;
}

void FakeEngineScript::SetLatency(Latency latency) {
  const absl::MutexLock lock(&mutex_);
  latency_ = latency;
}

FakeEngineScript::Latency FakeEngineScript::latency() const {
  const absl::MutexLock lock(&mutex_);
  return latency_;
}

LoadedModel MakeFakeModel(std::shared_ptr<FakeEngineScript> script) {
  if (script == nullptr) script = std::make_shared<FakeEngineScript>();
  return {std::make_unique<FakeEngine>(std::move(script)), MakeFakeTokenizer()};
}

}  // namespace sam3
