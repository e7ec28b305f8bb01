#include "inference/torch/torch_engine.h"

#include <ATen/Context.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/memory/memory.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "inference/base/clock.h"
#include "inference/base/status_macros.h"
#include "inference/content_hash.h"
#include "inference/model_config.h"
#include "inference/torch/aten.h"
#include "inference/torch/click_batch.h"
#include "inference/torch/detector.h"
#include "inference/torch/given_batch.h"
#include "inference/torch/guard.h"
#include "inference/torch/host_facts.h"
#include "inference/torch/interactive/interactive_head.h"
#include "inference/torch/model_heads.h"
#include "inference/torch/postprocess.h"
#include "inference/torch/preprocess.h"
#include "inference/torch/torch_image.h"
#include "inference/torch/track_batch.h"
#include "inference/torch/weights.h"

namespace sam3 {
namespace {

class TorchText final : public TextEmbedding {
 public:
  explicit TorchText(at::Tensor tokens) : tokens(std::move(tokens)) {}
  size_t size_bytes() const override { return tokens.nbytes(); }
  const at::Tensor tokens;  // [L, C]
};

// Pairs, and pictures, whose large activations fit a budget go through the
// model together.
int64_t PairsPerPass(const ModelConfig& config, at::Device device,
                     at::ScalarType dtype) {
  const int64_t side = config.mask_size();
  const int64_t pair_bytes = 4 * side * side * config.hidden_size() *
                             static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t budget = device.is_cuda() ? int64_t{8} << 30 : 256 << 20;
  return std::clamp<int64_t>(budget / pair_bytes, 1, 16);
}

// A launched batch: the decoder's outputs are on their way, masks are made when
// it is known which queries are worth one.
class PendingDetections final : public Pending<std::vector<Detections>> {
 public:
  PendingDetections(const Detector& detector, std::vector<GroundItem> items,
                    absl::Time started)
      : detector_(detector), items_(std::move(items)), started_(started) {}

  void Launch(int64_t pairs_per_pass) {
    for (size_t begin = 0; begin < items_.size();
         begin += static_cast<size_t>(pairs_per_pass)) {
      const size_t end =
          std::min(items_.size(), begin + static_cast<size_t>(pairs_per_pass));
      std::vector<ConceptPair> pairs;
      for (size_t i = begin; i < end; ++i) {
        const GroundItem& item = items_[i];
        pairs.push_back(
            {&static_cast<const TorchImage&>(*item.image).features(),
             static_cast<const TorchText&>(*item.text).tokens, item.exemplars});
      }
      passes_.push_back(detector_.Ground(pairs));
    }
  }

  absl::StatusOr<std::vector<Detections>> Take() override {
    std::vector<Detections> results;
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      for (const GroundedPairs& pass : passes_) Collect(pass, &results);
      return absl::OkStatus();
    }));
    const absl::Duration spent = RealClock().Now() - started_;
    for (Detections& result : results) result.timings.ground = spent;
    passes_.clear();
    return results;
  }

 private:
  void Collect(const GroundedPairs& pass, std::vector<Detections>* results) {
    const at::Tensor logits = pass.logits.cpu();
    const at::Tensor boxes = pass.boxes.cpu();
    const at::Tensor presence = pass.presence.cpu();
    const size_t first = results->size();
    std::vector<int64_t> with_masks;
    for (int64_t row = 0; row < logits.size(0); ++row) {
      const GroundOptions& options =
          items_[first + static_cast<size_t>(row)].options;
      results->push_back(SelectDetections(
          logits[row], boxes[row], presence[row].item<float>(), options));
      if (options.want_masks && !results->back().detections.empty()) {
        with_masks.push_back(row);
      }
    }
    if (with_masks.empty()) return;
    const at::Tensor pixels = detector_.PixelEmbeddings(pass, with_masks);
    for (size_t i = 0; i < with_masks.size(); ++i) {
      const int64_t row = with_masks[i];
      Detections& result = (*results)[first + static_cast<size_t>(row)];
      std::vector<int64_t> kept;
      for (const Detection& detection : result.detections) {
        kept.push_back(detection.query_index);
      }
      const at::Tensor queries = pass.queries[row].index_select(
          0, at::tensor(kept).to(detector_.device()));
      AttachMasks(
          detector_.mask_head().Masks(pixels[static_cast<int64_t>(i)], queries),
          items_[first + static_cast<size_t>(row)].options.mask_logits,
          &result);
    }
  }

  const Detector& detector_;
  // Keeps the embeddings alive while the device works on them.
  const std::vector<GroundItem> items_;
  const absl::Time started_;
  std::vector<GroundedPairs> passes_;
};

NamedTensor ToNamed(std::string name, const at::Tensor& tensor) {
  const at::Tensor host = tensor.to(at::kFloat).cpu().contiguous();
  const float* values = host.const_data_ptr<float>();
  return {std::move(name), host.sizes().vec(),
          std::vector<float>(values, values + host.numel())};
}

class TorchEngine final : public Engine {
 public:
  TorchEngine(Checkpoint checkpoint, ModelHeads heads, EngineInfo info)
      : checkpoint_(std::move(checkpoint)),
        detector_(std::move(heads.detector)),
        clicks_(std::move(heads.clicks)),
        tracker_(std::move(heads.tracker)),
        info_(std::move(info)),
        pairs_per_pass_(PairsPerPass(detector_->config(), detector_->device(),
                                     detector_->dtype())) {}

  HostAllocator& host_allocator() override { return allocator_; }
  const EngineInfo& info() const override { return info_; }

  EngineMemory memory() const override {
    return {static_cast<size_t>(info_.parameter_count) *
                c10::elementSize(detector_->dtype()),
            0};
  }

  absl::StatusOr<std::vector<std::shared_ptr<const ImageEmbedding>>>
  EncodeImages(absl::Span<const Image> images) override {
    std::vector<std::shared_ptr<const ImageEmbedding>> embeddings;
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      const auto step = static_cast<size_t>(pairs_per_pass_);
      for (size_t begin = 0; begin < images.size(); begin += step) {
        const at::Tensor pixels = Preprocess(
            images.subspan(begin, step), detector_->config().vit.image_size,
            detector_->device(), detector_->dtype());
        for (EncodedPicture& picture : detector_->EncodePictures(pixels)) {
          embeddings.push_back(std::make_shared<TorchImage>(
              std::move(picture.features),
              clicks_ != nullptr ? std::move(picture.hidden) : at::Tensor()));
        }
      }
      return absl::OkStatus();
    }));
    return embeddings;
  }

  absl::StatusOr<std::vector<std::shared_ptr<const TextEmbedding>>> EncodeTexts(
      absl::Span<const TokenizedText> texts) override {
    std::vector<std::shared_ptr<const TextEmbedding>> embeddings;
    SAM3_RETURN_IF_ERROR(CheckTokens(texts));
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      if (texts.empty()) return absl::OkStatus();
      const at::Tensor tokens = detector_->EncodeTexts(TokenIds(texts));
      for (size_t i = 0; i < texts.size(); ++i) {
        embeddings.push_back(
            std::make_shared<TorchText>(tokens[static_cast<int64_t>(i)]
                                            .narrow(0, 0, texts[i].length)
                                            .clone()));
      }
      return absl::OkStatus();
    }));
    return embeddings;
  }

  absl::StatusOr<std::unique_ptr<Pending<std::vector<Detections>>>> Ground(
      absl::Span<const GroundItem> items) override {
    auto pending = std::make_unique<PendingDetections>(
        *detector_, std::vector<GroundItem>(items.begin(), items.end()),
        clock_.Now());
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      pending->Launch(pairs_per_pass_);
      return absl::OkStatus();
    }));
    return pending;
  }

  absl::StatusOr<std::unique_ptr<Pending<std::vector<ObjectCandidates>>>> Click(
      absl::Span<const ClickItem> items) override {
    SAM3_RETURN_IF_ERROR(CheckClicks(items));
    std::unique_ptr<Pending<std::vector<ObjectCandidates>>> pending;
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      pending = LaunchClicks(*clicks_, *detector_->config().interactive, items);
      return absl::OkStatus();
    }));
    return pending;
  }

  std::shared_ptr<StreamTracks> NewTracks(const AssociationOptions& options,
                                          TrackSeeds seeds) override {
    return std::make_shared<TorchTracks>(options, std::move(seeds));
  }

  absl::StatusOr<std::vector<TrackedFrame>> Track(
      absl::Span<const TrackItem> items) override {
    return Tracked([&] {
      return TrackConcepts(*clicks_, *tracker_, detector_->config(), items);
    });
  }

  std::shared_ptr<StreamTracks> NewGivenTracks() override {
    return std::make_shared<TorchGivenTracks>();
  }

  absl::StatusOr<std::vector<TrackedFrame>> Follow(
      absl::Span<const FollowItem> items) override {
    return Tracked([&] {
      return FollowGiven(*clicks_, *tracker_, detector_->config(), items);
    });
  }

  absl::StatusOr<std::vector<NamedTensor>> RawConceptOutputs(
      const Image& image, const TokenizedText& text,
      absl::Span<const Exemplar> exemplars) override {
    std::vector<NamedTensor> tensors;
    SAM3_RETURN_IF_ERROR(CheckTokens({text}));
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      const at::Tensor pixels =
          Preprocess({image}, detector_->config().vit.image_size,
                     detector_->device(), detector_->dtype());
      const std::vector<EncodedPicture> pictures =
          detector_->EncodePictures(pixels);
      const at::Tensor tokens = detector_->EncodeTexts(TokenIds({text}));
      const ConceptPair pair = {&pictures.front().features, tokens[0],
                                exemplars};
      const GroundedPairs grounded = detector_->Ground({pair});
      const at::Tensor embeddings =
          detector_->PixelEmbeddings(grounded, {0})[0];
      const MaskHead& head = detector_->mask_head();
      tensors.push_back(ToNamed("pixel_values", pixels[0]));
      tensors.push_back(ToNamed("pred_logits", grounded.logits[0]));
      tensors.push_back(ToNamed("presence_logits", grounded.presence));
      tensors.push_back(ToNamed("pred_boxes", grounded.boxes[0]));
      tensors.push_back(
          ToNamed("pred_masks", head.Masks(embeddings, grounded.queries[0])));
      tensors.push_back(ToNamed("semantic_seg", head.Semantic(embeddings)));
      return absl::OkStatus();
    }));
    return tensors;
  }

  absl::StatusOr<std::vector<NamedTensor>> RawObjectOutputs(
      const Image& image, const ObjectPrompt& prompt, bool multimask) override {
    std::vector<NamedTensor> tensors;
    SAM3_RETURN_IF_ERROR(CheckClicks({}));
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      const at::Tensor pixels =
          Preprocess({image}, detector_->config().vit.image_size,
                     detector_->device(), detector_->dtype());
      const ObjectFeatures features =
          clicks_->Encode(detector_->EncodePictures(pixels).front().hidden);
      const ObjectMasks masks = clicks_->Segment({{&features, prompt, {}}});
      const at::Tensor kept =
          multimask ? at::arange(1, masks.predicted_iou.size(1))
                          .to(detector_->device())
                    : ChooseStableMask(masks, *detector_->config().interactive);
      tensors.push_back(ToNamed("pixel_values", pixels[0]));
      tensors.push_back(
          ToNamed("pred_masks", masks.logits[0].index_select(0, kept)));
      tensors.push_back(
          ToNamed("iou_scores", masks.predicted_iou[0].index_select(0, kept)));
      tensors.push_back(ToNamed("object_score_logits", masks.object_logit));
      return absl::OkStatus();
    }));
    return tensors;
  }

  absl::Status Warmup(absl::Span<const int> batch_sizes) override {
    const int side = info_.image_size;
    const size_t bytes =
        static_cast<size_t>(side) * side * Image::kBytesPerPixel;
    const std::shared_ptr<uint8_t> pixels = allocator_.Allocate(bytes);
    if (pixels == nullptr) {
      return absl::ResourceExhaustedError("the host is out of memory");
    }
    std::fill_n(pixels.get(), bytes, uint8_t{127});
    TokenizedText text;
    text.length = 3;
    for (const int size : batch_sizes) {
      const std::vector<Image> images(static_cast<size_t>(size),
                                      Image(pixels, side, side));
      SAM3_ASSIGN_OR_RETURN(const auto pictures, EncodeImages(images));
      SAM3_ASSIGN_OR_RETURN(const auto texts, EncodeTexts({text}));
      std::vector<GroundItem> items;
      items.reserve(pictures.size());
      for (const auto& picture : pictures) {
        items.push_back({picture,
                         texts.front(),
                         {},
                         {.score_threshold = 0, .max_detections = 1}});
      }
      SAM3_ASSIGN_OR_RETURN(const auto pending, Ground(items));
      SAM3_RETURN_IF_ERROR(pending->Take().status());
    }
    return absl::OkStatus();
  }

 private:
  // Runs `step` with the memory of videos, if there is one.
  absl::StatusOr<std::vector<TrackedFrame>> Tracked(
      absl::FunctionRef<std::vector<TrackedFrame>()> step) const {
    if (tracker_ == nullptr) {
      return absl::FailedPreconditionError(
          "this model folder has no memory of videos: it does not track");
    }
    const absl::Time started = clock_.Now();
    std::vector<TrackedFrame> frames;
    SAM3_RETURN_IF_ERROR(GuardTorch([&] {
      frames = step();
      return absl::OkStatus();
    }));
    const absl::Duration spent = clock_.Now() - started;
    for (TrackedFrame& frame : frames) frame.track = spent;
    return frames;
  }

  absl::Status CheckTokens(absl::Span<const TokenizedText> texts) const {
    const int vocabulary = detector_->config().text.vocab_size;
    for (const TokenizedText& text : texts) {
      const bool length_ok =
          text.length >= 1 && text.length <= kTextContextLength;
      if (!length_ok ||
          !std::all_of(text.ids.begin(), text.ids.begin() + text.length,
                       [vocabulary](int32_t id) {
                         return id >= 0 && id < vocabulary;
                       })) {
        return absl::InvalidArgumentError(
            "a text has no tokens, too many, or one that the model's "
            "vocabulary does not have");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckClicks(absl::Span<const ClickItem> items) const {
    if (clicks_ == nullptr) {
      return absl::FailedPreconditionError(
          "this model folder holds the concept detector alone: it takes no "
          "clicks");
    }
    for (const ClickItem& item : items) {
      if (item.earlier != nullptr &&
          (item.earlier->width != info_.mask_size ||
           item.earlier->height != info_.mask_size)) {
        return absl::InvalidArgumentError(
            "earlier logits have another size than the model's masks");
      }
    }
    return absl::OkStatus();
  }

  // [N, longest], int64; rows beyond a text's own length are padding.
  at::Tensor TokenIds(absl::Span<const TokenizedText> texts) const {
    int64_t longest = 0;
    for (const TokenizedText& text : texts) {
      longest = std::max<int64_t>(longest, text.length);
    }
    at::Tensor ids =
        at::zeros({static_cast<int64_t>(texts.size()), longest}, at::kLong);
    for (size_t i = 0; i < texts.size(); ++i) {
      std::copy_n(
          texts[i].ids.begin(), texts[i].length,
          ids.mutable_data_ptr<int64_t>() + static_cast<int64_t>(i) * longest);
    }
    return ids.to(detector_->device());
  }

  HeapAllocator allocator_;
  const RealClock clock_;
  // Weights may be views into the checkpoint's files.
  const Checkpoint checkpoint_;
  const std::unique_ptr<Detector> detector_;
  const std::unique_ptr<InteractiveHead> clicks_;
  const std::unique_ptr<TrackerHead> tracker_;
  const EngineInfo info_;
  const int64_t pairs_per_pass_;
};

absl::StatusOr<at::Device> ParseDevice(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  absl::string_view index = name;
  int number = 0;
  if (name != "cuda" && (!absl::ConsumePrefix(&index, "cuda:") ||
                         !absl::SimpleAtoi(index, &number) || number < 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\" is neither cpu nor cuda:N"));
  }
  if (!at::hasCUDA()) {
    return absl::FailedPreconditionError(
        absl::StrCat("device ", name,
                     ": this build or this machine has no CUDA; use --device "
                     "cpu, or a build with SAM3_CUDA=ON and a driver"));
  }
  if (number >= static_cast<int>(at::detail::getCUDAHooks().deviceCount())) {
    return absl::FailedPreconditionError(
        absl::StrCat("device ", name, ": the machine has ",
                     at::detail::getCUDAHooks().deviceCount(), " GPUs"));
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(number));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(
    const EngineOptions& options, absl::string_view config_json,
    const WeightSource& source, const std::string& model_name) {
  SAM3_ASSIGN_OR_RETURN(const at::Device device, ParseDevice(options.device));
  SAM3_ASSIGN_OR_RETURN(const ModelConfig config,
                        ParseModelConfig(config_json));
  Checkpoint checkpoint;
  if (source.folder.empty()) {
    SAM3_ASSIGN_OR_RETURN(
        auto file, SafetensorsFile::FromMemory(source.embedded, model_name));
    SAM3_ASSIGN_OR_RETURN(checkpoint, Checkpoint::FromFile(std::move(file)));
  } else {
    SAM3_ASSIGN_OR_RETURN(checkpoint, Checkpoint::FromFolder(source.folder));
  }
  const bool bf16 = options.dtype == DtypeChoice::kBf16 ||
                    (options.dtype == DtypeChoice::kAuto && device.is_cuda());

  ModelHeads heads;
  int64_t parameter_count = 0;
  SAM3_RETURN_IF_ERROR(GuardTorch([&]() -> absl::Status {
    if (options.cpu_threads > 0) at::set_num_threads(options.cpu_threads);
    // The reference's fp32 is fp32; TF32 must be asked for.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    WeightReader weights(checkpoint, device, bf16 ? at::kBFloat16 : at::kFloat);
    SAM3_ASSIGN_OR_RETURN(heads,
                          ReadModelHeads(weights, config, options.class_token));
    parameter_count = weights.parameter_count();
    return absl::OkStatus();
  }));

  ContentHash hash;
  hash.Add(config_json);
  for (const auto& file : checkpoint.files()) {
    hash.Add(file->bytes());
    // What the model really reads of the file comes back when it is touched;
    // copies and packed weights have made much of it superfluous.
    file->DropPages();
  }
  EngineInfo info;
  info.model_name = model_name;
  info.model_fingerprint = hash.Hex();
  info.device = device.str();
  info.device_name = DeviceName(device);
  info.dtype = bf16 ? "bf16" : "fp32";
  info.parameter_count = parameter_count;
  info.stored = checkpoint.stored_totals();
  info.image_size = config.vit.image_size;
  info.mask_size = config.mask_size();
  info.query_count = config.query_count;
  info.takes_clicks = heads.clicks != nullptr;
  info.tracks = heads.tracker != nullptr;
  return std::make_unique<TorchEngine>(std::move(checkpoint), std::move(heads),
                                       std::move(info));
}

}  // namespace sam3
