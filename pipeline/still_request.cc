#include "pipeline/still_request.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "inference/base/status_macros.h"
#include "inference/image_key.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/image_decoder.h"

namespace sam3 {
namespace {

// Objects that cost the device about as much as one concept on one picture.
constexpr size_t kObjectsPerPair = 8;
// A download takes seconds at worst.
constexpr absl::Duration kFetchRetryDelay = absl::Seconds(1);

}  // namespace

class StillRequest::StillJob final : public Job {
 public:
  StillJob(std::shared_ptr<StillRequest> request, EngineInput input,
           Facts facts)
      : Job(request->context_, facts),
        request_(std::move(request)),
        input_(std::move(input)) {}

  std::optional<EngineInput> TakeInput() override { return std::move(input_); }
  void Finish(absl::StatusOr<EngineOutput> output) override {
    request_->OnEngineDone(std::move(output));
  }

 private:
  const std::shared_ptr<StillRequest> request_;
  EngineInput input_;
};

StillRequest::StillRequest(PipelineCore& core, ImageSource image,
                           std::shared_ptr<RequestContext> context,
                           std::unique_ptr<Admission::Ticket> ticket)
    : core_(core),
      image_(std::move(image)),
      context_(std::move(context)),
      ticket_(std::move(ticket)),
      started_(core.clock.Now()) {}

void StillRequest::Start() {
  const auto self = shared_from_this();
  if (image_.url.empty()) {
    core_.decode_pool.Schedule([self] { self->Prepare(); });
  } else if (!core_.fetch_pool.TrySchedule([self] { self->Fetch(); })) {
    core_.metrics.requests_refused.Add();
    Finish(WithRetryAfter(
        WithReason(absl::ResourceExhaustedError(
                       "too many pictures are being fetched; try again soon"),
                   reason::kOverloaded),
        kFetchRetryDelay));
  }
}

void StillRequest::Fetch() {
  const absl::Time start = core_.clock.Now();
  const absl::Status wanted = context_->StillWanted(start);
  if (!wanted.ok()) {
    core_.metrics.cancelled_before_engine.Add();
    return Finish(wanted);
  }
  auto content = core_.fetcher.Fetch(image_.url, *context_);
  if (!content.ok()) {
    return Finish(WithField(content.status(), FieldOf(image_)));
  }
  ticket_->ShrinkTo(content->size());
  image_.content = *std::move(content);
  response().timings.fetch = core_.clock.Now() - start;
  core_.decode_pool.Schedule([self = shared_from_this()] { self->Prepare(); });
}

void StillRequest::Prepare() {
  const absl::Status wanted = context_->StillWanted(core_.clock.Now());
  if (!wanted.ok()) {
    core_.metrics.cancelled_before_engine.Add();
    return Finish(wanted);
  }
  absl::StatusOr<EngineInput> input = MakeInput();
  if (!input.ok()) return Finish(input.status());
  Job::Facts facts;
  facts.image_count = input->embedding == nullptr ? 1 : 0;
  facts.pair_count =
      static_cast<int>(input->prompts.size()) +
      static_cast<int>((input->objects.size() + kObjectsPerPair - 1) /
                       kObjectsPerPair);
  facts.is_click = input->embedding != nullptr && input->prompts.empty() &&
                   !input->objects.empty();
  facts.size_bytes =
      input->embedding == nullptr ? input->image.size_bytes() : 0;
  auto job =
      std::make_unique<StillJob>(shared_from_this(), *std::move(input), facts);
  const absl::Status queued = core_.scheduler.Schedule(std::move(job));
  if (!queued.ok()) {
    core_.metrics.requests_refused.Add();
    Finish(queued);
  }
}

absl::StatusOr<EngineInput> StillRequest::MakeInput() {
  EngineInput input;
  if (image_.file != nullptr) SAM3_RETURN_IF_ERROR(ReadFile());
  SAM3_RETURN_IF_ERROR(LookUpOrDecode(&input));
  SAM3_RETURN_IF_ERROR(AddPrompts(&input));
  return input;
}

absl::Status StillRequest::ReadFile() {
  const auto max_bytes =
      static_cast<size_t>(core_.options.image_limits.max_bytes);
  auto content = image_.file->ReadAll(max_bytes);
  if (!content.ok()) return WithField(content.status(), FieldOf(image_));
  ticket_->ShrinkTo(content->size());
  image_.content = *std::move(content);
  return absl::OkStatus();
}

absl::Status StillRequest::LookUpOrDecode(EngineInput* input) {
  StillResponse& facts = response();
  const std::string& tenant = context_->tenant();
  const std::string& name = image_.image_id;
  const std::string& content = image_.content;
  std::optional<CachedPicture> cached;
  std::string digest;
  const bool by_name_alone =
      content.empty() && image_.url.empty() && image_.file == nullptr;
  if (by_name_alone) {
    cached = core_.cache.FindName(tenant, name);
    if (!cached.has_value()) {
      return WithField(
          WithReason(absl::NotFoundError(
                         "no embedding of that image_id is kept (any more); "
                         "send the picture's bytes with it"),
                     reason::kImageNotCached),
          "image.image_id");
    }
  } else {
    digest = ImageDigest(content);
    if (!name.empty()) {
      SAM3_RETURN_IF_ERROR(core_.cache.CheckName(tenant, name, digest));
    }
    cached = core_.cache.FindDigest(tenant, digest);
  }
  if (cached.has_value()) {
    input->embedding = cached->embedding;
    facts.image = cached->info;
    if (!name.empty()) facts.image.image_id = name;
    // Inserting again binds a new name to the old picture.
    if (!name.empty() && cached->info.image_id != name) {
      core_.cache.Insert(tenant, {cached->embedding, facts.image});
    }
    input->keep_as = facts.image;
    return absl::OkStatus();
  }
  const absl::Time start = core_.clock.Now();
  const ImageLimits& limits = core_.options.image_limits;
  const char* field = FieldOf(image_);
  const auto header = ReadImageHeader(content, limits);
  if (!header.ok()) {
    core_.metrics.decode_errors.Add();
    return WithField(header.status(), field);
  }
  auto image =
      DecodeImage(content, limits, core_.model.engine->host_allocator());
  if (!image.ok()) {
    core_.metrics.decode_errors.Add();
    return WithField(image.status(), field);
  }
  input->image = *std::move(image);
  context_->AddPixels(int64_t{input->image.width()} * input->image.height());
  facts.image = {input->image.width(), input->image.height(),
                 header->exif_orientation, std::move(digest), name};
  facts.timings.decode = core_.clock.Now() - start;
  core_.metrics.decode_seconds.Observe(facts.timings.decode);
  input->keep_as = facts.image;
  image_.content.clear();
  image_.content.shrink_to_fit();
  return absl::OkStatus();
}

void StillRequest::OnEngineDone(absl::StatusOr<EngineOutput> output) {
  // The device thread must not encode masks; neither should it run a client's
  // callback for a failure.
  core_.encode_pool.Schedule(
      [self = shared_from_this(), output = std::move(output)] {
        self->Finish(output.ok() ? self->Conclude(*output) : output.status());
      });
}

absl::Status StillRequest::Conclude(const EngineOutput& output) {
  SAM3_RETURN_IF_ERROR(context_->StillWanted(core_.clock.Now()));
  const absl::Time start = core_.clock.Now();
  SAM3_RETURN_IF_ERROR(Encode(output));
  const absl::Time end = core_.clock.Now();
  StillResponse& facts = response();
  facts.embedding_cache_hit = output.embedding_cache_hit;
  facts.timings.queue = output.queue;
  facts.timings.encode = output.encode;
  facts.timings.ground = output.ground;
  facts.timings.post = end - start;
  facts.timings.total = end - started_;
  core_.metrics.post_seconds.Observe(facts.timings.post);
  core_.metrics.total_seconds.Observe(facts.timings.total);
  return absl::OkStatus();
}

void StillRequest::Abandon(const absl::Status& why) {
  context_->Cancel();
  Answer(why);
}

void StillRequest::Finish(const absl::Status& status) {
  Answer(status);
  // Only now: whoever waits for idleness may rely on Respond() having returned.
  ticket_.reset();
}

void StillRequest::Answer(const absl::Status& status) {
  {
    const absl::MutexLock lock(&mutex_);
    if (answered_) return;
    answered_ = true;
  }
  (status.ok() ? core_.metrics.requests_finished
               : core_.metrics.requests_failed)
      .Add();
  Respond(status);
}

}  // namespace sam3
