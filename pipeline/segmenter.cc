#include "pipeline/segmenter.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/base/status_macros.h"
#include "inference/image_key.h"
#include "pipeline/admission.h"
#include "pipeline/concept_still.h"
#include "pipeline/device_worker.h"
#include "pipeline/error_reason.h"
#include "pipeline/object_still.h"
#include "pipeline/pipeline_core.h"
#include "pipeline/segmenter_factory.h"
#include "pipeline/still_request.h"
#include "pipeline/stream_registry.h"

namespace sam3 {
namespace {

// What a device can do, measured on grey pictures before the first request.
struct Measured {
  absl::Duration per_image;
  absl::Duration per_prompt;
};

absl::StatusOr<Measured> Measure(LoadedModel& model, Clock& clock) {
  constexpr int kSide = 64;
  constexpr size_t kBytes = size_t{kSide} * kSide * Image::kBytesPerPixel;
  const std::shared_ptr<uint8_t> pixels =
      model.engine->host_allocator().Allocate(kBytes);
  if (pixels == nullptr) {
    return absl::ResourceExhaustedError("the host is out of memory");
  }
  std::fill_n(pixels.get(), kBytes, uint8_t{127});
  SAM3_ASSIGN_OR_RETURN(const TokenizedText text,
                        model.tokenizer->Tokenize("visual"));
  const absl::Time start = clock.Now();
  SAM3_ASSIGN_OR_RETURN(const auto texts, model.engine->EncodeTexts({text}));
  SAM3_ASSIGN_OR_RETURN(
      const auto pictures,
      model.engine->EncodeImages({Image(pixels, kSide, kSide)}));
  // One detection whatever the score, so that a mask is made too.
  const GroundItem item = {pictures.front(),
                           texts.front(),
                           {},
                           {.score_threshold = 0, .max_detections = 1}};
  std::array<absl::Time, 2> done;
  for (absl::Time& time : done) {
    SAM3_ASSIGN_OR_RETURN(const auto pending, model.engine->Ground({item}));
    SAM3_RETURN_IF_ERROR(pending->Take().status());
    time = clock.Now();
  }
  if (model.engine->info().takes_clicks) {
    SAM3_ASSIGN_OR_RETURN(
        const auto pending,
        model.engine->Click(
            {{pictures.front(), {{{0.5f, 0.5f}}, {}}, nullptr}}));
    SAM3_RETURN_IF_ERROR(pending->Take().status());
  }
  return Measured{done[0] - start, done[1] - done[0]};
}

// Runs the whole model, so that no request pays for first-use costs. Where that
// takes long, the costs are a small part of it, and measuring a second time
// would only keep the server from starting.
absl::StatusOr<Measured> WarmUp(LoadedModel& model, Clock& clock) {
  constexpr absl::Duration kLong = absl::Seconds(3);
  SAM3_ASSIGN_OR_RETURN(const Measured first, Measure(model, clock));
  if (first.per_image >= kLong) return first;
  return Measure(model, clock);
}

// Embeddings of the texts that are always at hand.
absl::StatusOr<std::vector<DeviceWorker::PinnedText>> EncodePinned(
    LoadedModel& model, const std::vector<std::string>& texts) {
  constexpr size_t kAtOnce = 32;
  std::vector<TokenizedText> tokens;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto tokenized = model.tokenizer->Tokenize(texts[i]);
    if (!tokenized.ok() || tokenized->truncated || tokenized->length <= 2) {
      return absl::InvalidArgumentError(absl::StrCat(
          "pinned_texts[", i, "] \"", texts[i], "\": ",
          !tokenized.ok()        ? tokenized.status().message()
          : tokenized->truncated ? "has more tokens than the model reads"
                                 : "has no words"));
    }
    tokens.push_back(*tokenized);
  }
  std::vector<DeviceWorker::PinnedText> pinned;
  for (size_t at = 0; at < tokens.size(); at += kAtOnce) {
    const auto part = absl::MakeConstSpan(tokens).subspan(at, kAtOnce);
    SAM3_ASSIGN_OR_RETURN(const auto encoded, model.engine->EncodeTexts(part));
    for (size_t i = 0; i < part.size(); ++i) {
      pinned.push_back({part[i], encoded[i]});
    }
  }
  return pinned;
}

absl::Status CheckOptions(const SegmenterOptions& options) {
  const std::pair<const char*, int64_t> positive[] = {
      {"decode_threads", options.decode_threads},
      {"encode_threads", options.encode_threads},
      {"max_active_requests", options.max_active_requests},
      {"max_queued_jobs", options.max_queued_jobs},
      {"max_batch_images", options.max_batch_images},
      {"max_batch_pairs", options.max_batch_pairs},
      {"max_streams", options.max_streams},
      {"max_url_fetches", options.max_url_fetches},
      {"live.max_connects_per_second", options.live.max_connects_per_second},
      {"max_unsent_frames", options.max_unsent_frames}};
  for (const auto& [name, value] : positive) {
    if (value < 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be at least 1, is ", value));
    }
  }
  return absl::OkStatus();
}

// Streams that a device which takes `frame_cost` for a frame can serve at the
// promised rate, at least one.
int StreamSlots(const SegmenterOptions& options, absl::Duration frame_cost) {
  const double seconds = absl::ToDoubleSeconds(frame_cost);
  if (seconds <= 0 || options.min_stream_fps <= 0) return options.max_streams;
  const double slots = 1.0 / (seconds * options.min_stream_fps);
  return std::clamp(static_cast<int>(std::min(slots, 1e6)), 1,
                    options.max_streams);
}

// The still requests that may have no answer yet. Threads: any.
class UnansweredStills {
 public:
  void Add(const std::shared_ptr<StillRequest>& still) {
    absl::Status why;
    {
      const absl::MutexLock lock(&mutex_);
      if (stills_.size() >= next_sweep_) {
        stills_.erase(
            std::remove_if(stills_.begin(), stills_.end(),
                           [](const auto& one) { return one.expired(); }),
            stills_.end());
        // Twice what is left, so that sweeping costs little per request.
        next_sweep_ = 2 * stills_.size() + kFirstSweep;
      }
      stills_.push_back(still);
      why = abandoned_;
    }
    if (!why.ok()) still->Abandon(why);
  }

  // Also those that were admitted and are added later.
  void AbandonAll(const absl::Status& why) {
    std::vector<std::weak_ptr<StillRequest>> stills;
    {
      const absl::MutexLock lock(&mutex_);
      stills.swap(stills_);
      abandoned_ = why;
    }
    for (const auto& one : stills) {
      if (const auto still = one.lock()) still->Abandon(why);
    }
  }

 private:
  static constexpr size_t kFirstSweep = 64;
  absl::Mutex mutex_;
  std::vector<std::weak_ptr<StillRequest>> stills_ ABSL_GUARDED_BY(mutex_);
  size_t next_sweep_ ABSL_GUARDED_BY(mutex_) = kFirstSweep;
  // Why nobody is waited for any more, once that is so.
  absl::Status abandoned_ ABSL_GUARDED_BY(mutex_);
};

class LocalSegmenter final : public Segmenter {
 public:
  LocalSegmenter(LoadedModel model, const SegmenterOptions& options,
                 UrlGate gate, std::vector<DeviceWorker::PinnedText> pinned,
                 const Measured& measured, Clock& clock,
                 PipelineMetrics& metrics)
      : measured_(measured),
        admission_({.max_requests = options.max_active_requests,
                    .max_bytes = options.max_active_bytes,
                    .max_streams = options.max_streams},
                   clock, metrics),
        core_(std::move(model), options, std::move(gate), clock, metrics),
        worker_(
            {.text_cache_bytes = options.text_cache_bytes,
             .pinned_texts = std::move(pinned)},
            *core_.model.engine, core_.scheduler, core_.cache, clock, metrics,
            [this](absl::Status why) { admission_.Refuse(std::move(why)); }),
        streams_(core_) {
    if (options.warm_up) core_.scheduler.ExpectCost(measured.per_image);
  }

  ~LocalSegmenter() override { Stop(); }

  void SegmentConcepts(ConceptRequest request,
                       std::shared_ptr<RequestContext> context,
                       ConceptDone done) override {
    StartStill<ConceptStill>(std::move(request), std::move(context),
                             std::move(done));
  }

  void SegmentObjects(ObjectRequest request,
                      std::shared_ptr<RequestContext> context,
                      ObjectDone done) override {
    if (!engine_info().takes_clicks) {
      return done(WithReason(
          absl::UnimplementedError("the model that is served finds concepts "
                                   "and takes no clicks"),
          reason::kNotOffered));
    }
    StartStill<ObjectStill>(std::move(request), std::move(context),
                            std::move(done));
  }

  void EmbedImage(ImageSource image, std::shared_ptr<RequestContext> context,
                  EmbedDone done) override {
    ConceptRequest request;
    request.image = std::move(image);
    SegmentConcepts(
        std::move(request), std::move(context),
        [done = std::move(done)](absl::StatusOr<ConceptResponse> response) {
          if (!response.ok()) return done(response.status());
          EmbedResponse& embedded = *response;
          done(std::move(embedded));
        });
  }

  absl::StatusOr<std::shared_ptr<StreamSession>> OpenStream(
      StreamConfig config, std::shared_ptr<RequestContext> context,
      StreamListener* listener) override {
    if (config.source == StreamSourceKind::kUrl) {
      const absl::Status allowed = core_.live_source->Check(config.url);
      if (!allowed.ok()) return WithField(allowed, "config.url");
    }
    if (config.track.has_value()) {
      SAM3_RETURN_IF_ERROR(core_.tracked_memory.Room());
    }
    SAM3_ASSIGN_OR_RETURN(auto ticket,
                          admission_.AdmitStream(CarriedStreams()));
    return streams_.Open(std::move(config), std::move(context), listener,
                         std::move(ticket));
  }

  std::optional<CachedImage> FindImage(
      const std::string& tenant, const std::string& image_id) const override {
    const auto found = core_.cache.FindName(tenant, image_id);
    if (!found.has_value()) return std::nullopt;
    return CachedImage{found->info};
  }

  std::optional<CachedImage> FindContent(
      const std::string& tenant, absl::string_view content) const override {
    const auto found = core_.cache.FindDigest(tenant, ImageDigest(content));
    if (!found.has_value()) return std::nullopt;
    return CachedImage{found->info};
  }

  absl::Status CheckUrl(const SourceUrl& url) const override {
    return core_.fetcher.Check(url);
  }

  const Tokenizer& tokenizer() const override { return *core_.model.tokenizer; }
  const EngineInfo& engine_info() const override {
    return core_.model.engine->info();
  }
  const ImageLimits& image_limits() const override {
    return core_.options.image_limits;
  }

  Capacity capacity() const override {
    return {measured_.per_image, measured_.per_prompt,
            admission_.free_streams(CarriedStreams()),
            core_.scheduler.queued_jobs()};
  }

  absl::Status Health() const override { return admission_.refusal(); }

  void Drain(absl::Time deadline) override {
    core_.metrics.draining.Set(1);
    admission_.Refuse(Draining());
    const absl::Time now = core_.clock.Now();
    const absl::Time served_until =
        now + std::clamp((deadline - now) / 2, absl::ZeroDuration(),
                         core_.options.drain_notice);
    streams_.GoAway(served_until);
    if (admission_.AwaitIdle(served_until)) return;
    streams_.Drain(Draining());
    if (admission_.AwaitIdle(deadline)) return;
    // What is left ends now; nobody is to wait for a device that is too slow.
    streams_.CancelAll(Draining());
    FailQueued();
    stills_.AbandonAll(Draining());
  }

 private:
  int CarriedStreams() const {
    return StreamSlots(core_.options, core_.scheduler.frame_cost());
  }

  template <typename Still, typename Request, typename Done>
  void StartStill(Request request, std::shared_ptr<RequestContext> context,
                  Done done) {
    const SourceUrl& url = request.image.url;
    if (!url.empty()) {
      const absl::Status allowed = CheckUrl(url);
      if (!allowed.ok()) return done(WithField(allowed, "image.url"));
    }
    auto ticket = admission_.AdmitRequest(
        context->tenant(), url.empty() && request.image.file == nullptr
                               ? request.image.content.size()
                               : static_cast<size_t>(image_limits().max_bytes));
    if (!ticket.ok()) return done(ticket.status());
    const auto still =
        std::make_shared<Still>(core_, std::move(request), std::move(context),
                                *std::move(ticket), std::move(done));
    stills_.Add(still);
    still->Start();
  }

  static absl::Status Draining() {
    return WithRetryAfter(
        WithReason(absl::UnavailableError("the server is shutting down"),
                   reason::kDraining),
        absl::Seconds(1));
  }

  void FailQueued() {
    for (auto& job : core_.scheduler.Close(Draining())) {
      job->Finish(Draining());
    }
  }

  void Stop() {
    admission_.Refuse(Draining());
    streams_.CancelAll(Draining());
    FailQueued();
    stills_.AbandonAll(Draining());
    admission_.AwaitIdle(absl::InfiniteFuture());
  }

  const Measured measured_;
  Admission admission_;
  mutable PipelineCore core_;
  DeviceWorker worker_;
  StreamRegistry streams_;
  UnansweredStills stills_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Segmenter>> CreateSegmenter(
    LoadedModel model, const SegmenterOptions& options, Clock& clock,
    PipelineMetrics& metrics) {
  SAM3_RETURN_IF_ERROR(CheckOptions(options));
  SAM3_ASSIGN_OR_RETURN(UrlGate gate, UrlGate::Create(options.url_gate));
  Measured measured;
  if (options.warm_up) {
    SAM3_ASSIGN_OR_RETURN(measured, WarmUp(model, clock));
  }
  SAM3_ASSIGN_OR_RETURN(auto pinned, EncodePinned(model, options.pinned_texts));
  return std::make_unique<LocalSegmenter>(std::move(model), options,
                                          std::move(gate), std::move(pinned),
                                          measured, clock, metrics);
}

}  // namespace sam3
