#include "inference/fake_engine.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "inference/association/concept_frame.h"
#include "inference/base/status_macros.h"
#include "inference/fake_tokenizer.h"

namespace sam3 {
namespace {

constexpr int kGrid = 64;
constexpr size_t kCells = size_t{kGrid} * kGrid;
constexpr int kColourCount = 4;
constexpr std::array<absl::string_view, kColourCount> kColourNames = {
    "red", "green", "blue", "yellow"};
constexpr int kNoColour = -1;

int ColourOf(const uint8_t* rgb) {
  const bool r = rgb[0] > 200;
  const bool g = rgb[1] > 200;
  const bool b = rgb[2] > 200;
  const bool pure =
      (r || rgb[0] < 60) && (g || rgb[1] < 60) && (b || rgb[2] < 60);
  if (!pure) return kNoColour;
  if (r && !g && !b) return 0;
  if (!r && g && !b) return 1;
  if (!r && !g && b) return 2;
  if (r && g && !b) return 3;
  return kNoColour;
}

// A rectangle of grid cells, half-open.
struct Area {
  int x0 = kGrid;
  int y0 = kGrid;
  int x1 = 0;
  int y1 = 0;
  int cells = 0;
};

class FakeImage final : public ImageEmbedding {
 public:
  explicit FakeImage(const Image& image) {
    // A cell's colour is its centre pixel's.
    constexpr int64_t kSteps = int64_t{2} * kGrid;
    for (int y = 0; y < kGrid; ++y) {
      for (int x = 0; x < kGrid; ++x) {
        const int64_t px = int64_t{2 * x + 1} * image.width() / kSteps;
        const int64_t py = int64_t{2 * y + 1} * image.height() / kSteps;
        cells_[Index(x, y)] = static_cast<int8_t>(
            ColourOf(image.pixels() + (py * image.width() + px) * 3));
      }
    }
  }
  size_t size_bytes() const override { return sizeof(*this); }

  int ColourAt(float x, float y) const {
    const auto cell = [](float fraction) {
      return std::clamp(static_cast<int>(fraction * kGrid), 0, kGrid - 1);
    };
    return cells_[Index(cell(x), cell(y))];
  }

  // Connected areas of a colour, largest first.
  std::vector<Area> AreasOf(int colour) const {
    std::array<bool, kCells> seen{};
    std::vector<Area> areas;
    for (int start = 0; start < static_cast<int>(kCells); ++start) {
      if (seen[start] || cells_[start] != colour) continue;
      Area area;
      std::vector<int> open = {start};
      seen[start] = true;
      while (!open.empty()) {
        const int cell = open.back();
        open.pop_back();
        const int x = cell % kGrid;
        const int y = cell / kGrid;
        area.x0 = std::min(area.x0, x);
        area.y0 = std::min(area.y0, y);
        area.x1 = std::max(area.x1, x + 1);
        area.y1 = std::max(area.y1, y + 1);
        ++area.cells;
        const auto visit = [&](int nx, int ny) {
          if (nx < 0 || ny < 0 || nx >= kGrid || ny >= kGrid) return;
          const int next = Index(nx, ny);
          if (seen[next] || cells_[next] != colour) return;
          seen[next] = true;
          open.push_back(next);
        };
        visit(x - 1, y);
        visit(x + 1, y);
        visit(x, y - 1);
        visit(x, y + 1);
      }
      areas.push_back(area);
    }
    std::stable_sort(
        areas.begin(), areas.end(),
        [](const Area& a, const Area& b) { return a.cells > b.cells; });
    return areas;
  }

 private:
  static int Index(int x, int y) { return y * kGrid + x; }
  std::array<int8_t, kCells> cells_{};
};

class FakeText final : public TextEmbedding {
 public:
  explicit FakeText(const TokenizedText& text) {
    for (int i = 0; i < text.length; ++i) {
      for (int c = 0; c < kColourCount; ++c) {
        if (text.ids[i] == FakeTokenId(kColourNames[c])) colour = c;
      }
    }
  }
  size_t size_bytes() const override { return sizeof(*this); }
  int colour = kNoColour;
};

// Fills rectangles with one logit and the rest with its opposite.
LowResMask MaskOfAreas(const std::vector<Area>& areas) {
  constexpr float kLogit = 8.0f;
  LowResMask mask{kGrid, kGrid, std::vector<float>(kCells, -kLogit), 0.0f};
  for (const Area& area : areas) {
    for (int y = area.y0; y < area.y1; ++y) {
      std::fill_n(mask.values.begin() + std::ptrdiff_t{y} * kGrid + area.x0,
                  area.x1 - area.x0, kLogit);
    }
  }
  return mask;
}

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
  if (colour == kNoColour) return result;
  const std::vector<Area> areas = image.AreasOf(colour);
  result.presence_score = areas.empty() ? 0.0f : 1.0f;
  for (size_t i = 0; i < areas.size(); ++i) {
    const Area& area = areas[i];
    Detection detection;
    detection.query_score =
        0.99f - 0.01f * static_cast<float>(std::min<size_t>(i, 90));
    detection.presence_score = 1.0f;
    detection.score = detection.query_score;
    detection.query_index = static_cast<int>(i);
    detection.box = {static_cast<float>(area.x0) / kGrid,
                     static_cast<float>(area.y0) / kGrid,
                     static_cast<float>(area.x1) / kGrid,
                     static_cast<float>(area.y1) / kGrid};
    if (detection.score <= item.options.score_threshold) continue;
    if (item.options.max_detections > 0 &&
        result.detections.size() >=
            static_cast<size_t>(item.options.max_detections)) {
      break;
    }
    if (item.options.want_masks && item.options.mask_logits) {
      detection.mask = MaskOfAreas({area});
    } else if (item.options.want_masks) {
      detection.mask.width = kGrid;
      detection.mask.height = kGrid;
      detection.mask.values.assign(kCells, 0.0f);
      for (int y = area.y0; y < area.y1; ++y) {
        std::fill_n(
            detection.mask.values.begin() + std::ptrdiff_t{y} * kGrid + area.x0,
            area.x1 - area.x0, 1.0f);
      }
    }
    result.detections.push_back(std::move(detection));
  }
  return result;
}

ObjectCandidates MaskClicked(const ClickItem& item) {
  const auto& image = static_cast<const FakeImage&>(*item.image);
  float x = -1;
  float y = -1;
  if (item.prompt.box.has_value()) {
    x = (item.prompt.box->x0 + item.prompt.box->x1) / 2;
    y = (item.prompt.box->y0 + item.prompt.box->y1) / 2;
  }
  for (const Click& click : item.prompt.clicks) {
    if (click.label == ClickLabel::kPositive) {
      x = click.x;
      y = click.y;
    }
  }
  const int colour = x < 0 ? kNoColour : image.ColourAt(x, y);
  ObjectCandidates result;
  result.object_score = colour == kNoColour ? 0.01f : 0.99f;
  std::vector<Area> under;
  std::vector<Area> same;
  if (colour != kNoColour) same = image.AreasOf(colour);
  for (const Area& area : same) {
    if (x * kGrid >= static_cast<float>(area.x0) &&
        x * kGrid < static_cast<float>(area.x1) &&
        y * kGrid >= static_cast<float>(area.y0) &&
        y * kGrid < static_cast<float>(area.y1)) {
      under = {area};
      break;
    }
  }
  const float iou = item.earlier == nullptr ? 0.9f : 0.95f;
  result.candidates.push_back({iou, 1.0f, MaskOfAreas(under)});
  if (item.multimask) {
    result.candidates.push_back({0.6f, 1.0f, MaskOfAreas(same)});
    result.candidates.push_back(
        {0.2f, 1.0f,
         MaskOfAreas({{.x0 = 0, .y0 = 0, .x1 = kGrid, .y1 = kGrid}})});
  }
  return result;
}

// Objects that are the areas of a colour nearest to where they last were.
class FakeTracks final : public StreamTracks {
 public:
  explicit FakeTracks(const AssociationOptions& options) : table_(options) {}
  size_t size_bytes() const override { return objects_.size() * sizeof(Seen); }
  int object_count() const override {
    return static_cast<int>(objects_.size());
  }

  TrackedFrame Follow(const TrackItem& item) {
    const auto& image = static_cast<const FakeImage&>(*item.image);
    std::vector<TrackEvent> dropped;
    for (const int64_t id : table_.ids()) {
      // Gone with another one of its prompt.
      if (!table_.Contains(id)) continue;
      const int prompt = table_.at(id).prompt;
      if (std::none_of(item.prompts.begin(), item.prompts.end(),
                       [prompt](const TrackedPrompt& candidate) {
                         return candidate.prompt == prompt;
                       })) {
        const std::vector<TrackEvent> ended = table_.RemovePrompt(prompt);
        dropped.insert(dropped.end(), ended.begin(), ended.end());
      }
    }
    for (const TrackEvent& event : dropped) objects_.erase(event.id);
    std::vector<PropagatedObject> propagated;
    for (auto& [id, seen] : objects_) {
      const std::vector<Area> areas = Nearest(image, seen);
      if (!areas.empty()) seen.area = areas.front();
      propagated.push_back(
          {id, areas.empty() ? -8.0f : 8.0f, MaskOfAreas(areas).values});
    }
    const ConceptFrame frame(frames_++, kGrid, kGrid, item.prompts,
                             std::move(propagated), &table_);
    for (const int64_t id : frame.plan().removals) objects_.erase(id);
    for (const ObjectDetection& birth : frame.plan().births) {
      const std::vector<float> mask = frame.BirthMask(birth);
      const auto cell = static_cast<int>(
          std::find(mask.begin(), mask.end(), 1.0f) - mask.begin());
      // Of a shape that is no rectangle the corner has no colour.
      Seen& seen = objects_[birth.id];
      for (int colour = 0; colour < kColourCount; ++colour) {
        for (const Area& area : image.AreasOf(colour)) {
          if (cell == area.y0 * kGrid + area.x0) seen = {colour, area};
        }
      }
    }
    return frame.Answer(std::move(dropped));
  }

 private:
  struct Seen {
    int colour = kNoColour;
    Area area;
  };

  // The area of the colour whose centre is nearest, if it is near.
  static std::vector<Area> Nearest(const FakeImage& image, const Seen& seen) {
    constexpr int kFar = kGrid / 4;
    std::vector<Area> found;
    int best = kFar;
    for (const Area& area : image.AreasOf(seen.colour)) {
      const int distance =
          (std::abs(area.x0 + area.x1 - seen.area.x0 - seen.area.x1) +
           std::abs(area.y0 + area.y1 - seen.area.y0 - seen.area.y1)) /
          2;
      if (distance >= best) continue;
      best = distance;
      found = {area};
    }
    return found;
  }

  TrackTable table_;
  std::map<int64_t, Seen> objects_;
  int64_t frames_ = 0;
};

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
    info_.image_size = kGrid;
    info_.mask_size = kGrid;
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

  std::shared_ptr<StreamTracks> NewTracks(
      const AssociationOptions& options) override {
    return std::make_shared<FakeTracks>(options);
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
