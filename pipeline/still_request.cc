#include "pipeline/still_request.h"

#include <optional>
#include <utility>

#include "inference/base/status_macros.h"
#include "inference/image_key.h"
#include "pipeline/error_reason.h"
#include "pipeline/media/image_decoder.h"
#include "pipeline/prompt_geometry.h"
#include "pipeline/result_encoder.h"

namespace sam3 {
namespace {

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

StillRequest::StillRequest(PipelineCore& core, ConceptRequest request,
                           std::shared_ptr<RequestContext> context,
                           std::unique_ptr<Admission::Ticket> ticket, Done done)
    : core_(core),
      request_(std::move(request)),
      context_(std::move(context)),
      ticket_(std::move(ticket)),
      done_(std::move(done)),
      started_(core.clock.Now()) {}

void StillRequest::Start() {
  const auto self = shared_from_this();
  if (request_.image.url.empty()) {
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
  absl::Status wanted = context_->StillWanted(start);
  if (!wanted.ok()) {
    core_.metrics.cancelled_before_engine.Add();
    return Finish(std::move(wanted));
  }
  auto content = core_.fetcher.Fetch(request_.image.url, *context_);
  if (!content.ok()) return Finish(WithField(content.status(), "image.url"));
  ticket_->ShrinkTo(content->size());
  request_.image.content = *std::move(content);
  response_.timings.fetch = core_.clock.Now() - start;
  core_.decode_pool.Schedule([self = shared_from_this()] { self->Prepare(); });
}

void StillRequest::Prepare() {
  absl::Status wanted = context_->StillWanted(core_.clock.Now());
  if (!wanted.ok()) {
    core_.metrics.cancelled_before_engine.Add();
    return Finish(std::move(wanted));
  }
  absl::StatusOr<EngineInput> input = MakeInput();
  if (!input.ok()) return Finish(input.status());
  Job::Facts facts;
  facts.image_count = input->embedding == nullptr ? 1 : 0;
  facts.pair_count = static_cast<int>(input->prompts.size());
  facts.size_bytes =
      input->embedding == nullptr ? input->image.size_bytes() : 0;
  auto job =
      std::make_unique<StillJob>(shared_from_this(), *std::move(input), facts);
  absl::Status queued = core_.scheduler.Schedule(std::move(job));
  if (!queued.ok()) {
    core_.metrics.requests_refused.Add();
    Finish(std::move(queued));
  }
}

absl::StatusOr<EngineInput> StillRequest::MakeInput() {
  EngineInput input;
  SAM3_RETURN_IF_ERROR(LookUpOrDecode(&input));
  SAM3_ASSIGN_OR_RETURN(
      input.prompts,
      ToEnginePrompts(request_.prompts, request_.options, response_.image.width,
                      response_.image.height, &response_.warnings));
  return input;
}

absl::Status StillRequest::LookUpOrDecode(EngineInput* input) {
  const std::string& tenant = context_->tenant();
  const std::string& name = request_.image.image_id;
  const std::string& content = request_.image.content;
  std::optional<CachedPicture> cached;
  std::string digest;
  const bool fetched = !request_.image.url.empty();
  if (content.empty() && !fetched) {
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
    response_.image = cached->info;
    if (!name.empty()) response_.image.image_id = name;
    // Inserting again binds a new name to the old picture.
    if (!name.empty() && cached->info.image_id != name) {
      core_.cache.Insert(tenant, {cached->embedding, response_.image});
    }
    input->keep_as = response_.image;
    return absl::OkStatus();
  }
  const absl::Time start = core_.clock.Now();
  const ImageLimits& limits = core_.options.image_limits;
  const char* field = fetched ? "image.url" : "image.content";
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
  response_.image = {input->image.width(), input->image.height(),
                     header->exif_orientation, std::move(digest), name};
  response_.timings.decode = core_.clock.Now() - start;
  core_.metrics.decode_seconds.Observe(response_.timings.decode);
  input->keep_as = response_.image;
  request_.image.content.clear();
  request_.image.content.shrink_to_fit();
  return absl::OkStatus();
}

void StillRequest::OnEngineDone(absl::StatusOr<EngineOutput> output) {
  // The device thread must not encode masks; neither should it run a client's
  // callback for a failure.
  core_.encode_pool.Schedule(
      [self = shared_from_this(), output = std::move(output)] {
        if (!output.ok()) return self->Finish(output.status());
        self->Encode(*output);
      });
}

void StillRequest::Encode(const EngineOutput& output) {
  absl::Status wanted = context_->StillWanted(core_.clock.Now());
  if (!wanted.ok()) return Finish(std::move(wanted));
  const absl::Time start = core_.clock.Now();
  absl::StatusOr<std::vector<PromptResult>> results =
      EncodeResults(request_.prompts, output.detections, request_.options,
                    response_.image.width, response_.image.height);
  if (!results.ok()) return Finish(results.status());
  const absl::Time end = core_.clock.Now();
  response_.results = *std::move(results);
  response_.embedding_cache_hit = output.embedding_cache_hit;
  response_.timings.queue = output.queue;
  response_.timings.encode = output.encode;
  response_.timings.ground = output.ground;
  response_.timings.post = end - start;
  response_.timings.total = end - started_;
  core_.metrics.post_seconds.Observe(response_.timings.post);
  core_.metrics.total_seconds.Observe(response_.timings.total);
  Finish(std::move(response_));
}

void StillRequest::Abandon(absl::Status why) {
  context_->Cancel();
  Answer(std::move(why));
}

void StillRequest::Finish(absl::StatusOr<ConceptResponse> response) {
  Answer(std::move(response));
  // Only now: whoever waits for idleness may rely on `done` having returned.
  ticket_.reset();
}

void StillRequest::Answer(absl::StatusOr<ConceptResponse> response) {
  Done done;
  {
    const absl::MutexLock lock(&mutex_);
    done.swap(done_);
  }
  if (done == nullptr) return;
  if (response.ok()) {
    core_.metrics.requests_finished.Add();
  } else {
    core_.metrics.requests_failed.Add();
  }
  done(std::move(response));
}

}  // namespace sam3
