#include "service/convert.h"

#include <utility>

#include "service/grpc_status.h"

namespace sam3 {
namespace {

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp out;
  const int64_t seconds = absl::ToUnixSeconds(time);
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return out;
}

v1::DropReason DropReasonToProto(DropReason reason) {
  switch (reason) {
    case DropReason::kStale:
      return v1::DROP_REASON_STALE;
    case DropReason::kSampledOut:
      return v1::DROP_REASON_SAMPLED_OUT;
    case DropReason::kUndecodable:
      return v1::DROP_REASON_UNDECODABLE;
    case DropReason::kSlowConsumer:
      return v1::DROP_REASON_SLOW_CONSUMER;
    case DropReason::kEngine:
      return v1::DROP_REASON_ENGINE;
    case DropReason::kCancelled:
      return v1::DROP_REASON_CANCELLED;
  }
  return v1::DROP_REASON_UNSPECIFIED;
}

v1::ObjectState PhaseToProto(TrackPhase phase) {
  switch (phase) {
    case TrackPhase::kTentative:
      return v1::OBJECT_STATE_TENTATIVE;
    case TrackPhase::kConfirmed:
      return v1::OBJECT_STATE_CONFIRMED;
    case TrackPhase::kLost:
      return v1::OBJECT_STATE_LOST;
    case TrackPhase::kRecovered:
      return v1::OBJECT_STATE_RECOVERED;
    case TrackPhase::kRetracted:
      return v1::OBJECT_STATE_RETRACTED;
    case TrackPhase::kEnded:
      return v1::OBJECT_STATE_ENDED;
  }
  return v1::OBJECT_STATE_UNSPECIFIED;
}

v1::SourceEvent::Failure FailureToProto(SourceFailure failure) {
  switch (failure) {
    case SourceFailure::kConnection:
      return v1::SourceEvent::FAILURE_CONNECTION;
    case SourceFailure::kAuth:
      return v1::SourceEvent::FAILURE_AUTH;
    case SourceFailure::kTlsCertificate:
      return v1::SourceEvent::FAILURE_TLS_CERTIFICATE;
    case SourceFailure::kTlsHandshake:
      return v1::SourceEvent::FAILURE_TLS_HANDSHAKE;
    case SourceFailure::kTimeout:
      return v1::SourceEvent::FAILURE_TIMEOUT;
    case SourceFailure::kNotFound:
      return v1::SourceEvent::FAILURE_NOT_FOUND;
    case SourceFailure::kCodecUnsupported:
      return v1::SourceEvent::FAILURE_CODEC_UNSUPPORTED;
  }
  return v1::SourceEvent::FAILURE_UNSPECIFIED;
}

v1::Instance InstanceToProto(Instance instance) {
  v1::Instance out;
  if (instance.object_id.has_value()) {
    out.set_object_id(*instance.object_id);
    out.set_state(PhaseToProto(instance.phase));
  }
  out.set_score(instance.score);
  out.set_query_score(instance.query_score);
  out.set_presence_score(instance.presence_score);
  *out.mutable_detector_box() = ToProto(instance.detector_box);
  *out.mutable_box() = ToProto(instance.box);
  out.set_area_px(instance.area);
  if (!std::holds_alternative<std::monostate>(instance.mask)) {
    *out.mutable_mask() = ToProto(std::move(instance.mask));
  }
  return out;
}

v1::ObjectResult ObjectToProto(ObjectResult result) {
  v1::ObjectResult out;
  out.set_prompt_index(result.prompt_index);
  out.set_prompt_id(std::move(result.prompt_id));
  out.set_object_score(result.object_score);
  out.set_refined(result.refined);
  for (ObjectMask& mask : result.masks) {
    auto* added = out.add_masks();
    added->set_predicted_iou(mask.predicted_iou);
    added->set_stability(mask.stability);
    *added->mutable_box() = ToProto(mask.box);
    added->set_area_px(mask.area);
    if (!std::holds_alternative<std::monostate>(mask.mask)) {
      *added->mutable_mask() = ToProto(std::move(mask.mask));
    }
    added->set_logits_handle(std::move(mask.logits_handle));
  }
  return out;
}

// What every answer about a still picture tells.
template <typename Message>
void WriteStill(const StillResponse& response, Message* out) {
  *out->mutable_image_info() = ToProto(response.image);
  *out->mutable_timings() = ToProto(response.timings);
  out->set_embedding_cache(ToProto(response.embedding_cache_hit));
  for (const std::string& warning : response.warnings) {
    out->add_warnings(warning);
  }
}

template <typename Message>
void WriteFacts(const SourceFacts& facts, Message* out) {
  out->set_width_px(facts.width);
  out->set_height_px(facts.height);
  out->set_frame_rate(facts.frame_rate);
}

// Fills the one message of a stream response that an event becomes.
struct EventWriter {
  v1::SegmentStreamResponse* out;

  void operator()(const StreamStarted& event) const {
    auto* started = out->mutable_started();
    started->set_stream_id(event.stream_id);
    WriteFacts(event.source, started);
    auto* policy = started->mutable_policy();
    policy->set_delivery(event.delivery == FrameDelivery::kLatest
                             ? v1::StreamConfig::DELIVERY_LATEST
                             : v1::StreamConfig::DELIVERY_EVERY);
    policy->set_task(event.track.has_value() ? v1::StreamConfig::TASK_TRACK
                                             : v1::StreamConfig::TASK_DETECT);
    if (event.track.has_value()) {
      policy->set_detect_every(event.track->detect_every);
      policy->set_confirmation_delay_frames(
          event.track->confirmation_delay_frames);
      policy->set_max_objects(event.track->max_objects);
    }
    policy->set_score_threshold(event.options.score_threshold);
    if (event.options.nms_iou_threshold.has_value()) {
      policy->mutable_nms()->set_iou_threshold(
          *event.options.nms_iou_threshold);
    }
    policy->set_max_instances_per_prompt(
        event.options.max_instances_per_prompt);
    *policy->mutable_mask_options() = ToProto(event.options.mask);
    if (!event.options.fields.mask) {
      policy->mutable_mask_options()->set_format(v1::MaskOptions::FORMAT_NONE);
    }
    policy->set_analyse_fps(event.analyse_fps);
    policy->set_every_nth_frame(event.every_nth_frame);
    if (event.resumed.has_value()) {
      started->mutable_resumed()->set_object_count(event.resumed->objects);
      started->mutable_resumed()->set_frames_before_count(
          event.resumed->frames_before);
    }
    auto* limits = started->mutable_limits();
    limits->set_max_frame_size_bytes(
        static_cast<int64_t>(event.limits.max_frame_bytes));
    limits->set_max_unsent_frame_count(event.limits.max_unsent_frames);
    limits->set_max_unsent_size_bytes(
        static_cast<int64_t>(event.limits.max_unsent_bytes));
    *limits->mutable_slow_consumer_timeout() =
        ToProto(event.limits.slow_consumer_timeout);
    *limits->mutable_heartbeat_interval() =
        ToProto(event.limits.heartbeat_interval);
  }
  void operator()(FrameResult event) const {
    auto* result = out->mutable_result();
    result->set_frame_index(event.frame_index);
    *result->mutable_start_offset() = ToProto(event.start_offset);
    if (event.capture_time.has_value()) {
      *result->mutable_capture_time() = ToTimestamp(*event.capture_time);
    }
    result->set_width_px(event.width);
    result->set_height_px(event.height);
    *result->mutable_result() = ToProto(std::move(event.result));
    result->set_last_in_frame(event.last_in_frame);
    result->set_discontinuity(event.discontinuity);
    result->set_tracked_only(event.tracked_only);
    result->set_objects_not_taken_count(event.objects_not_taken);
    if (event.last_in_frame) {
      *result->mutable_timings() = ToProto(event.timings);
    }
    for (const TrackEvent& object : event.object_events) {
      auto* added = result->add_object_events();
      added->set_object_id(object.id);
      added->set_state(PhaseToProto(object.phase));
    }
  }
  void operator()(const FramesDropped& event) const {
    auto* dropped = out->mutable_dropped();
    dropped->set_first_frame_index(event.first_index);
    dropped->set_last_frame_index(event.last_index);
    dropped->set_reason(DropReasonToProto(event.reason));
  }
  void operator()(const FrameRefused& event) const {
    auto* refused = out->mutable_refused();
    refused->set_frame_index(event.frame_index);
    *refused->mutable_status() = ToRpcStatus(event.status);
  }
  void operator()(const PromptRejected& event) const {
    auto* rejected = out->mutable_rejected();
    rejected->set_prompt_id(event.prompt_id);
    *rejected->mutable_status() = ToRpcStatus(event.status);
  }
  void operator()(const PromptsUpdated& event) const {
    out->mutable_prompts_updated()->set_effective_frame_index(
        event.effective_frame_index);
  }
  void operator()(ObjectPreview event) const {
    auto* preview = out->mutable_preview();
    preview->set_frame_index(event.frame_index);
    *preview->mutable_instance() = InstanceToProto(std::move(event.instance));
    preview->set_committed(event.committed);
  }
  void operator()(const SourceEvent& event) const {
    auto* source = out->mutable_source_event();
    switch (event.kind) {
      case SourceEventKind::kOpened:
        source->set_kind(v1::SourceEvent::KIND_OPENED);
        break;
      case SourceEventKind::kResolutionChanged:
        source->set_kind(v1::SourceEvent::KIND_RESOLUTION_CHANGED);
        break;
      case SourceEventKind::kDamaged:
        source->set_kind(v1::SourceEvent::KIND_DAMAGED);
        break;
      case SourceEventKind::kEnded:
        source->set_kind(v1::SourceEvent::KIND_ENDED);
        break;
      case SourceEventKind::kStalled:
        source->set_kind(v1::SourceEvent::KIND_STALLED);
        break;
      case SourceEventKind::kReconnecting:
        source->set_kind(v1::SourceEvent::KIND_RECONNECTING);
        source->set_attempt(event.attempt);
        *source->mutable_retry_delay() = ToProto(event.retry_delay);
        break;
      case SourceEventKind::kBack:
        source->set_kind(v1::SourceEvent::KIND_BACK);
        *source->mutable_outage() = ToProto(event.outage);
        break;
    }
    if (event.failure.has_value()) {
      source->set_failure(FailureToProto(*event.failure));
    }
    source->set_frame_index(event.frame_index);
    source->set_message(event.message);
    WriteFacts(event.source, source);
  }
  void operator()(Heartbeat) const { out->mutable_heartbeat(); }
  void operator()(const GoingAway& event) const {
    *out->mutable_going_away()->mutable_within() = ToProto(event.within);
  }
  void operator()(const StreamSummary& event) const {
    auto* summary = out->mutable_summary();
    summary->set_frames_in_count(event.frames_in);
    summary->set_answered_count(event.answered);
    summary->set_refused_count(event.refused);
    for (const auto& [reason, count] : event.dropped) {
      auto* dropped = summary->add_dropped();
      dropped->set_reason(DropReasonToProto(reason));
      dropped->set_frame_count(count);
    }
  }
};

}  // namespace

Box FromProto(const v1::Box& box) {
  switch (box.box_case()) {
    case v1::Box::kXyxy:
      return {box.xyxy().x0(), box.xyxy().y0(), box.xyxy().x1(),
              box.xyxy().y1()};
    case v1::Box::kXywh:
      return {box.xywh().x(), box.xywh().y(),
              box.xywh().x() + box.xywh().width(),
              box.xywh().y() + box.xywh().height()};
    case v1::Box::kCxcywh: {
      const float w = box.cxcywh().width() / 2;
      const float h = box.cxcywh().height() / 2;
      return {box.cxcywh().cx() - w, box.cxcywh().cy() - h,
              box.cxcywh().cx() + w, box.cxcywh().cy() + h};
    }
    case v1::Box::BOX_NOT_SET:
      break;
  }
  return {};
}

MaskOptions FromProto(const v1::MaskOptions& options) {
  MaskOptions out;
  switch (options.format()) {
    case v1::MaskOptions::FORMAT_POLYGON:
      out.format = MaskFormat::kPolygon;
      break;
    case v1::MaskOptions::FORMAT_PNG:
      out.format = MaskFormat::kPng;
      break;
    case v1::MaskOptions::FORMAT_BITS:
      out.format = MaskFormat::kBits;
      break;
    case v1::MaskOptions::FORMAT_NONE:
      out.format = MaskFormat::kNone;
      break;
    case v1::MaskOptions::FORMAT_LOGITS:
      out.format = MaskFormat::kLogits;
      break;
    default:
      out.format = MaskFormat::kRle;
  }
  switch (options.resolution()) {
    case v1::MaskOptions::RESOLUTION_MAX_SIDE:
      out.resolution = MaskResolution::kMaxSide;
      break;
    case v1::MaskOptions::RESOLUTION_MODEL:
      out.resolution = MaskResolution::kModel;
      break;
    default:
      out.resolution = MaskResolution::kFull;
  }
  out.max_side = options.max_side_px();
  out.outer_only = options.outer_only();
  out.polygon_tolerance = options.polygon_tolerance_px();
  return out;
}

v1::MaskOptions ToProto(const MaskOptions& options) {
  v1::MaskOptions out;
  switch (options.format) {
    case MaskFormat::kRle:
      out.set_format(v1::MaskOptions::FORMAT_RLE);
      break;
    case MaskFormat::kPolygon:
      out.set_format(v1::MaskOptions::FORMAT_POLYGON);
      break;
    case MaskFormat::kPng:
      out.set_format(v1::MaskOptions::FORMAT_PNG);
      break;
    case MaskFormat::kBits:
      out.set_format(v1::MaskOptions::FORMAT_BITS);
      break;
    case MaskFormat::kNone:
      out.set_format(v1::MaskOptions::FORMAT_NONE);
      break;
    case MaskFormat::kLogits:
      out.set_format(v1::MaskOptions::FORMAT_LOGITS);
      break;
  }
  switch (options.resolution) {
    case MaskResolution::kFull:
      out.set_resolution(v1::MaskOptions::RESOLUTION_FULL);
      break;
    case MaskResolution::kMaxSide:
      out.set_resolution(v1::MaskOptions::RESOLUTION_MAX_SIDE);
      break;
    case MaskResolution::kModel:
      out.set_resolution(v1::MaskOptions::RESOLUTION_MODEL);
      break;
  }
  out.set_max_side_px(options.max_side);
  out.set_outer_only(options.outer_only);
  out.set_polygon_tolerance_px(static_cast<float>(options.polygon_tolerance));
  return out;
}

v1::Box ToProto(const Box& box) {
  v1::Box out;
  out.mutable_xyxy()->set_x0(box.x0);
  out.mutable_xyxy()->set_y0(box.y0);
  out.mutable_xyxy()->set_x1(box.x1);
  out.mutable_xyxy()->set_y1(box.y1);
  return out;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration out;
  const int64_t seconds = absl::ToInt64Seconds(duration);
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(duration - absl::Seconds(seconds))));
  return out;
}

v1::ImageInfo ToProto(const ImageInfo& info) {
  v1::ImageInfo out;
  out.set_width_px(info.width);
  out.set_height_px(info.height);
  out.set_exif_orientation(info.exif_orientation);
  out.set_digest(info.digest);
  out.set_image_id(info.image_id);
  return out;
}

v1::Timings ToProto(const RequestTimings& timings) {
  v1::Timings out;
  *out.mutable_fetch() = ToProto(timings.fetch);
  *out.mutable_decode() = ToProto(timings.decode);
  *out.mutable_queue() = ToProto(timings.queue);
  *out.mutable_encode() = ToProto(timings.encode);
  *out.mutable_ground() = ToProto(timings.ground);
  *out.mutable_post() = ToProto(timings.post);
  *out.mutable_total() = ToProto(timings.total);
  return out;
}

v1::EmbeddingCache ToProto(bool embedding_cache_hit) {
  return embedding_cache_hit ? v1::EMBEDDING_CACHE_HIT
                             : v1::EMBEDDING_CACHE_MISS;
}

v1::Mask ToProto(EncodedMask mask) {
  v1::Mask out;
  const auto size = [&out](const auto& any) {
    out.set_width_px(any.width);
    out.set_height_px(any.height);
  };
  if (auto* rle = std::get_if<RleMask>(&mask)) {
    size(*rle);
    out.mutable_rle()->set_counts(std::move(rle->counts));
  } else if (auto* polygon = std::get_if<PolygonMask>(&mask)) {
    size(*polygon);
    for (const PolygonRing& ring : polygon->rings) {
      auto* added = out.mutable_polygon()->add_rings();
      added->mutable_xy()->Add(ring.xy.begin(), ring.xy.end());
      added->set_parent_index(ring.parent);
    }
    out.mutable_polygon();
  } else if (auto* png = std::get_if<PngMask>(&mask)) {
    size(*png);
    out.mutable_png()->set_data(std::move(png->bytes));
  } else if (auto* bits = std::get_if<BitsMask>(&mask)) {
    size(*bits);
    auto* packed = out.mutable_bits();
    packed->set_data(std::move(bits->bytes));
    packed->set_crop_x(bits->crop_x);
    packed->set_crop_y(bits->crop_y);
    packed->set_crop_width(bits->crop_width);
    packed->set_crop_height(bits->crop_height);
  } else if (auto* logits = std::get_if<LogitsMask>(&mask)) {
    size(*logits);
    out.mutable_logits()->set_data(std::move(logits->bytes));
  }
  return out;
}

v1::PromptResult ToProto(PromptResult result) {
  v1::PromptResult out;
  out.set_prompt_index(result.prompt_index);
  out.set_prompt_id(std::move(result.prompt_id));
  out.set_text(std::move(result.text));
  out.set_presence_score(result.presence_score);
  for (Instance& instance : result.instances) {
    *out.add_instances() = InstanceToProto(std::move(instance));
  }
  return out;
}

v1::SegmentConceptsResponse ToProto(ConceptResponse response) {
  v1::SegmentConceptsResponse out;
  for (PromptResult& result : response.results) {
    *out.add_results() = ToProto(std::move(result));
  }
  WriteStill(response, &out);
  return out;
}

v1::SegmentObjectsResponse ToProto(ObjectResponse response) {
  v1::SegmentObjectsResponse out;
  for (ObjectResult& result : response.results) {
    *out.add_results() = ObjectToProto(std::move(result));
  }
  WriteStill(response, &out);
  return out;
}

v1::SegmentStreamResponse ToProto(StreamEvent event) {
  v1::SegmentStreamResponse out;
  std::visit(EventWriter{&out}, std::move(event));
  return out;
}

}  // namespace sam3
