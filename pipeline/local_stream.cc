#include "pipeline/local_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/base/status_macros.h"
#include "pipeline/error_reason.h"
#include "pipeline/live_reader.h"

namespace sam3 {
namespace {

// Decoded frames that may wait, and frames that may be on the device, when
// every frame counts. Two turns let one batch form while another runs.
constexpr size_t kEveryMailbox = 4;
constexpr int kEveryTurns = 2;
// Encoded pushed frames that may wait for decoding.
constexpr size_t kMaxEncoded = 4;
// Questions about objects that are asked and not yet answered and read. Beyond,
// no more input is taken.
constexpr size_t kMaxQuestions = 16;
// What may wait to be read on a stream whose source the server reads itself
// before the client's changes have to wait as well.
constexpr size_t kMaxUntaken = 1000;

absl::Status WrongKind(absl::string_view field, absl::string_view source) {
  return WithField(
      WithReason(absl::InvalidArgumentError(absl::StrCat(
                     field, ": this stream's source is not ", source)),
                 reason::kInvalidRequest),
      field);
}

std::vector<ConceptPrompt> WithIds(std::vector<ConceptPrompt> prompts) {
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (prompts[i].prompt_id.empty()) prompts[i].prompt_id = absl::StrCat(i);
    prompts[i].stream_number = static_cast<int>(i);
  }
  return prompts;
}

}  // namespace

LocalStream::LocalStream(PipelineCore& core, uint64_t number,
                         StreamConfig config,
                         std::shared_ptr<RequestContext> context,
                         StreamListener* listener,
                         std::unique_ptr<Admission::Ticket> ticket)
    : core_(core),
      number_(number),
      config_(std::move(config)),
      context_(std::move(context)),
      mask_size_(core.model.engine->info().mask_size),
      listener_(listener),
      ticket_(std::move(ticket)),
      prompts_(std::make_shared<const std::vector<ConceptPrompt>>(
          WithIds(config_.prompts))),
      objects_(config_.objects.empty()
                   ? std::nullopt
                   : std::make_optional<ObjectLedger>(
                         config_.objects, config_.track->max_objects)),
      sampler_(config_.analyse_fps, config_.every_nth_frame),
      next_prompt_number_(static_cast<int>(config_.prompts.size())),
      detector_pace_(config_.track.has_value() ? config_.track->detect_every
                                               : 1),
      mailbox_(config_.delivery, kEveryMailbox),
      last_output_(core.clock.Now()),
      tracked_(core.metrics) {}

LocalStream::~LocalStream() = default;

absl::Status LocalStream::Start() {
  const bool pushed = config_.source == StreamSourceKind::kPushedFrames;
  SAM3_RETURN_IF_ERROR(StartTracks());
  if (config_.source == StreamSourceKind::kUrl) {
    reader_ =
        MakeLiveReader(config_.url, core_.options.image_limits,
                       core_.model.engine->host_allocator(), *core_.live_source,
                       core_.connect_pacer, core_.clock, core_.metrics, *this);
  } else if (!pushed) {
    reader_ =
        MakeVideoReader(config_.file != nullptr ? config_.file->path() : "",
                        core_.options.image_limits, core_.videos,
                        core_.model.engine->host_allocator(), core_.clock,
                        *this, [this] { listener_.InputWanted(); });
  }
  {
    const absl::MutexLock lock(&mutex_);
    const SegmenterOptions& options = core_.options;
    Announce(StreamStarted{
        .stream_id = absl::StrCat(number_),
        .source = {},
        .delivery = config_.delivery,
        .options = config_.options,
        .analyse_fps = config_.analyse_fps,
        .every_nth_frame = config_.every_nth_frame,
        .track = config_.track,
        .limits = {options.max_frame_bytes, options.max_unsent_frames,
                   options.max_unsent_bytes, options.slow_consumer_timeout,
                   options.heartbeat_interval},
        .resumed = TakenOver()});
    // A file shows itself soon; other sources may take as long as they like.
    if (config_.source != StreamSourceKind::kFile) facts_.emplace();
    source_running_ = !pushed;
  }
  if (reader_ != nullptr) reader_->Start();
  Proceed();
  return absl::OkStatus();
}

bool LocalStream::WantsInput() const {
  const absl::MutexLock lock(&mutex_);
  return InputRoom();
}

bool LocalStream::InputRoom() const {
  if (cancelled_ || input_closed_) return false;
  if (objects_.has_value() &&
      objects_->question_count() + questions_out_ + untaken_answers_ >=
          kMaxQuestions) {
    return false;
  }
  if (config_.source == StreamSourceKind::kPushedChunks) {
    return reader_ != nullptr && reader_->WantsBytes();
  }
  // Where the server reads the source itself, the client still changes what is
  // looked for; each change is answered, and somebody must read that.
  if (config_.source != StreamSourceKind::kPushedFrames) {
    return sequencer_.size() < kMaxUntaken;
  }
  if (config_.delivery == FrameDelivery::kLatest) return true;
  return encoded_.size() < kMaxEncoded && mailbox_.HasRoom() && CreditLeft();
}

bool LocalStream::RoomOrCancelled() const {
  return cancelled_ || (mailbox_.HasRoom() && CreditLeft());
}

bool LocalStream::CreditLeft() const {
  return config_.delivery == FrameDelivery::kLatest ||
         (sequencer_.unsent_frames() <
              static_cast<size_t>(core_.options.max_unsent_frames) &&
          sequencer_.unsent_bytes() < core_.options.max_unsent_bytes);
}

absl::Status LocalStream::PushFrame(PushedFrame frame) {
  {
    const absl::MutexLock lock(&mutex_);
    if (config_.source != StreamSourceKind::kPushedFrames) {
      return WrongKind("frame", "pushed_frames");
    }
    if (cancelled_ || summarized_) return absl::OkStatus();
    absl::Status refused = CheckFrame(frame);
    if (input_closed_ && refused.ok()) return absl::OkStatus();
    const int64_t index = sequencer_.Open();
    core_.metrics.frames_in.Add();
    const absl::Time now = core_.clock.Now();
    if (!first_arrival_.has_value()) first_arrival_ = now;
    const absl::Duration offset =
        frame.capture_time.value_or(now) - *first_arrival_;
    if (!refused.ok()) {
      sequencer_.Refuse(index, std::move(refused));
      core_.metrics.frames_refused.Add();
    } else if (!sampler_.Wants(offset)) {
      sequencer_.Drop(index, DropReason::kSampledOut);
      Count(DropReason::kSampledOut);
    } else {
      if (config_.delivery == FrameDelivery::kLatest && !encoded_.empty()) {
        sequencer_.Drop(encoded_.front().index, DropReason::kStale);
        Count(DropReason::kStale);
        encoded_.pop_front();
      }
      encoded_.push_back({index, std::move(frame), prompts_});
    }
  }
  Proceed();
  return absl::OkStatus();
}

absl::Status LocalStream::CheckFrame(const PushedFrame& frame) const {
  if (input_closed_) return outcome_;
  const size_t limit = core_.options.max_frame_bytes;
  if (frame.content.size() <= limit) return absl::OkStatus();
  return WithField(WithReason(absl::ResourceExhaustedError(absl::StrCat(
                                  "the frame has ", frame.content.size(),
                                  " bytes; at most ", limit, " are allowed")),
                              reason::kMediaTooLarge),
                   "frame.content");
}

absl::Status LocalStream::PushChunk(std::string bytes) {
  {
    const absl::MutexLock lock(&mutex_);
    if (config_.source != StreamSourceKind::kPushedChunks) {
      return WrongKind("chunk", "pushed_chunks");
    }
    if (input_closed_ || cancelled_) return absl::OkStatus();
  }
  reader_->PushBytes(std::move(bytes));
  return absl::OkStatus();
}

void LocalStream::CloseInput() {
  // What the server reads itself does not end with what the client says.
  if (config_.source == StreamSourceKind::kFile ||
      config_.source == StreamSourceKind::kUrl) {
    return;
  }
  {
    const absl::MutexLock lock(&mutex_);
    input_closed_ = true;
  }
  if (config_.source == StreamSourceKind::kPushedChunks) reader_->CloseBytes();
  Proceed();
}

void LocalStream::Cancel(absl::Status status) {
  {
    const absl::MutexLock lock(&mutex_);
    CancelLocked(std::move(status));
  }
  if (reader_ != nullptr) reader_->Stop();
  Proceed();
}

void LocalStream::CancelLocked(absl::Status status) {
  if (cancelled_ || summarized_) return;
  cancelled_ = true;
  if (!facts_.has_value()) facts_.emplace();
  outcome_ = std::move(status);
  context_->Cancel();
  encoded_.clear();
  mailbox_.Clear();
  const int64_t before = sequencer_.open_tickets();
  sequencer_.DropAllOpen(DropReason::kCancelled);
  Count(DropReason::kCancelled, before);
}

void LocalStream::Announce(StreamEvent event) {
  if (!summarized_) sequencer_.Announce(std::move(event));
}

bool LocalStream::OutputReady() const {
  return facts_.has_value() &&
         (going_away_.has_value() || sequencer_.HasReady());
}

std::optional<StreamEvent> LocalStream::TakeOutput() {
  std::optional<StreamEvent> event;
  {
    const absl::MutexLock lock(&mutex_);
    if (!facts_.has_value()) return std::nullopt;
    const absl::Time now = core_.clock.Now();
    if (started_taken_ && going_away_.has_value()) {
      event = GoingAway{std::max(*going_away_ - now, absl::ZeroDuration()),
                        Leftover()};
      going_away_.reset();
    } else {
      event = sequencer_.Take();
    }
    if (!event.has_value() && heartbeat_due_) event = Heartbeat{};
    if (!event.has_value()) return std::nullopt;
    heartbeat_due_ = false;
    last_output_ = now;
    unread_since_ = OutputReady() ? now : absl::InfiniteFuture();
    if (auto* started = std::get_if<StreamStarted>(&*event)) {
      started->source = *facts_;
      started_taken_ = true;
    } else if (auto* result = std::get_if<FrameResult>(&*event)) {
      MarkGap(result);
    } else if (std::holds_alternative<ObjectPreview>(*event)) {
      --untaken_answers_;
    } else if (auto* summary = std::get_if<StreamSummary>(&*event)) {
      summary->resume = Leftover();
      summary_taken_ = true;
    }
  }
  Proceed();
  return event;
}

void LocalStream::MarkGap(FrameResult* result) {
  if (!gaps_.empty() && gaps_.front() <= result->frame_index) {
    marked_frame_ = result->frame_index;
    while (!gaps_.empty() && gaps_.front() <= result->frame_index) {
      gaps_.pop_front();
    }
  }
  result->discontinuity = result->frame_index == marked_frame_;
}

std::optional<absl::Status> LocalStream::FinalStatus() const {
  const absl::MutexLock lock(&mutex_);
  const bool hopeless = outcome_.code() == absl::StatusCode::kResourceExhausted;
  if (!summary_taken_ && !(cancelled_ && hopeless)) return std::nullopt;
  return outcome_;
}

void LocalStream::Detach() {
  listener_.Close();
  {
    const absl::MutexLock lock(&mutex_);
    detached_ = true;
    CancelLocked(absl::CancelledError("the client left"));
    ticket_.reset();
  }
  if (reader_ != nullptr) reader_->Stop();
}

bool LocalStream::Reapable() const {
  const absl::MutexLock lock(&mutex_);
  return detached_ && !source_running_ && turns_.idle() && !decoding_;
}

void LocalStream::Tick(absl::Time now) {
  bool output = false;
  {
    const absl::MutexLock lock(&mutex_);
    if (detached_ || summary_taken_) return;
    if (now - unread_since_ >= core_.options.slow_consumer_timeout) {
      CancelLocked(WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "the client left its results unread for ",
              absl::FormatDuration(core_.options.slow_consumer_timeout))),
          reason::kSlowConsumer));
      output = true;
    } else if (facts_.has_value() && !OutputReady() && !heartbeat_due_ &&
               now - last_output_ >= core_.options.heartbeat_interval) {
      heartbeat_due_ = true;
      output = true;
    }
  }
  if (output) Proceed();
  if (output) listener_.OutputReady();
}

void LocalStream::DecodeNext() {
  std::optional<Encoded> taken;
  absl::Duration offset;
  {
    const absl::MutexLock lock(&mutex_);
    if (encoded_.empty()) {
      decoding_ = false;
    } else {
      taken = std::move(encoded_.front());
      encoded_.pop_front();
      offset = taken->frame.capture_time.value_or(core_.clock.Now()) -
               *first_arrival_;
    }
  }
  // Cancelled meanwhile: the end may have waited for this.
  if (!taken.has_value()) return Proceed();
  Encoded next = *std::move(taken);
  const absl::Time start = core_.clock.Now();
  absl::StatusOr<Image> image =
      DecodeImage(next.frame.content, core_.options.image_limits,
                  core_.model.engine->host_allocator());
  const absl::Duration spent = core_.clock.Now() - start;
  core_.metrics.decode_seconds.Observe(spent);
  {
    const absl::MutexLock lock(&mutex_);
    decoding_ = false;
    if (!image.ok()) {
      core_.metrics.decode_errors.Add();
      if (sequencer_.Refuse(next.index, image.status())) {
        core_.metrics.frames_refused.Add();
      }
    } else if (!cancelled_) {
      PutFrame({next.index, *std::move(image),
                std::max(offset, absl::ZeroDuration()), next.frame.capture_time,
                std::move(next.prompts), start, spent});
    }
  }
  Proceed();
}

void LocalStream::PutFrame(VideoFrame frame) {
  context_->AddPixels(int64_t{frame.image.width()} * frame.image.height());
  const std::optional<int64_t> replaced = mailbox_.Put(std::move(frame));
  if (replaced.has_value() && sequencer_.Drop(*replaced, DropReason::kStale)) {
    Count(DropReason::kStale);
  }
}

StreamTurns::Claim LocalStream::ClaimTurns() {
  if (cancelled_) return {};
  const int allowed =
      config_.delivery == FrameDelivery::kLatest ? 1 : kEveryTurns;
  return turns_.Take(allowed, static_cast<int>(mailbox_.size()),
                     QuestionsReady());
}

void LocalStream::ShedUnsent() {
  if (config_.delivery != FrameDelivery::kLatest) return;
  while (sequencer_.unsent_frames() >
             static_cast<size_t>(core_.options.max_unsent_frames) ||
         sequencer_.unsent_bytes() > core_.options.max_unsent_bytes) {
    if (!sequencer_.DropOldestAnswer(DropReason::kSlowConsumer)) return;
    core_.metrics.frames_answered.Add(-1);
    Count(DropReason::kSlowConsumer);
  }
}

void LocalStream::Count(DropReason reason, int64_t frames) {
  core_.metrics.frames_dropped[static_cast<size_t>(reason)].Add(frames);
}

void LocalStream::SummarizeIfDone() {
  if (summarized_ || !(input_closed_ || cancelled_)) return;
  if (source_running_ && !cancelled_) return;
  if (!encoded_.empty() || decoding_ || mailbox_.size() > 0 ||
      !sequencer_.all_closed()) {
    return;
  }
  if (objects_.has_value() && !cancelled_) {
    if (questions_out_ > 0 || QuestionsReady()) return;
    AnnounceAll(objects_->RefuseQuestions());
  }
  summarized_ = true;
  sequencer_.AnnounceSummary();
}

void LocalStream::Proceed() {
  StreamTurns::Claim turns;
  bool decode = false;
  bool output = false;
  bool input = false;
  {
    const absl::MutexLock lock(&mutex_);
    // Decoding ahead of the device is bounded by the mailbox.
    if (!encoded_.empty() && !decoding_ && mailbox_.HasRoom() && !cancelled_) {
      decoding_ = true;
      decode = true;
    }
    turns = ClaimTurns();
    SummarizeIfDone();
    output = OutputReady();
    if (output && unread_since_ == absl::InfiniteFuture()) {
      unread_since_ = core_.clock.Now();
    }
    const bool wanted = InputRoom();
    input = wanted && !input_was_wanted_;
    input_was_wanted_ = wanted;
  }
  if (decode) {
    core_.decode_pool.Schedule(
        [self = shared_from_this()] { self->DecodeNext(); });
  }
  QueueTurns(turns);
  if (output) listener_.OutputReady();
  if (input) listener_.InputWanted();
}

}  // namespace sam3
