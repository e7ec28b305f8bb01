#include "service/segmentation_calls.h"

#include <algorithm>
#include <utility>

#include "inference/engine_factory.h"
#include "service/convert.h"
#include "service/explain.h"
#include "service/field_selection.h"

namespace sam3 {

void SegmentationCalls::SegmentConcepts(
    const v1::SegmentConceptsRequest& request,
    const std::shared_ptr<RequestContext>& context,
    const Respond<v1::SegmentConceptsResponse>& respond) const {
  std::vector<std::string> warnings;
  absl::StatusOr<ConceptRequest> valid =
      validator_.ValidateConcepts(request, &warnings);
  if (!valid.ok()) return respond(valid.status());
  segmenter_.SegmentConcepts(
      *std::move(valid), context,
      [respond, warnings = std::move(warnings),
       fields = FieldSelection(request.fields(),
                               *v1::SegmentConceptsResponse::descriptor())](
          absl::StatusOr<ConceptResponse> response) {
        if (!response.ok()) return respond(response.status());
        v1::SegmentConceptsResponse out = ToProto(*std::move(response));
        for (const std::string& warning : warnings) out.add_warnings(warning);
        fields.Trim(&out);
        respond(std::move(out));
      });
}

void SegmentationCalls::SegmentObjects(
    const v1::SegmentObjectsRequest& request,
    const std::shared_ptr<RequestContext>& context,
    const Respond<v1::SegmentObjectsResponse>& respond) const {
  absl::StatusOr<ObjectRequest> valid = validator_.ValidateObjects(request);
  if (!valid.ok()) return respond(valid.status());
  segmenter_.SegmentObjects(
      *std::move(valid), context,
      [respond,
       fields = FieldSelection(request.fields(),
                               *v1::SegmentObjectsResponse::descriptor())](
          absl::StatusOr<ObjectResponse> response) {
        if (!response.ok()) return respond(response.status());
        v1::SegmentObjectsResponse out = ToProto(*std::move(response));
        fields.Trim(&out);
        respond(std::move(out));
      });
}

void SegmentationCalls::EmbedImage(
    const v1::EmbedImageRequest& request,
    const std::shared_ptr<RequestContext>& context,
    const Respond<v1::EmbedImageResponse>& respond) const {
  absl::StatusOr<ImageSource> valid = validator_.ValidateEmbed(request);
  if (!valid.ok()) return respond(valid.status());
  segmenter_.EmbedImage(
      *std::move(valid), context,
      [respond](absl::StatusOr<EmbedResponse> response) {
        if (!response.ok()) return respond(response.status());
        v1::EmbedImageResponse out;
        *out.mutable_image_info() = ToProto(response->image);
        *out.mutable_timings() = ToProto(response->timings);
        out.set_embedding_cache(ToProto(response->embedding_cache_hit));
        respond(std::move(out));
      });
}

void SegmentationCalls::Explain(
    const v1::ExplainRequest& request,
    const std::shared_ptr<RequestContext>& context,
    const Respond<v1::ExplainResponse>& respond) const {
  respond(ExplainRequestTo(request.request(), context->tenant(), segmenter_,
                           validator_));
}

void SegmentationCalls::GetServerInfo(
    const v1::GetServerInfoRequest&, const std::shared_ptr<RequestContext>&,
    const Respond<v1::GetServerInfoResponse>& respond) const {
  const EngineInfo& engine = segmenter_.engine_info();
  const ImageLimits& image = segmenter_.image_limits();
  const ServiceLimits& limits = validator_.limits();
  const Capacity capacity = segmenter_.capacity();
  v1::GetServerInfoResponse out;
  out.set_version(version_);
  auto* model = out.mutable_model();
  model->set_name(engine.model_name);
  model->set_fingerprint(engine.model_fingerprint);
  model->set_parameter_count(engine.parameter_count);
  model->set_image_size_px(engine.image_size);
  model->set_mask_size_px(engine.mask_size);
  model->set_embedded_demo(engine.model_name == kEmbeddedDemoModelName);
  model->set_takes_clicks(engine.takes_clicks);
  model->set_tracks(engine.tracks);
  auto* device = out.mutable_device();
  device->set_id(engine.device);
  device->set_name(engine.device_name);
  device->set_dtype(engine.dtype);
  auto* bounds = out.mutable_limits();
  bounds->set_max_image_size_bytes(image.max_bytes);
  bounds->set_max_image_pixels(image.max_pixels);
  bounds->set_max_image_side_px(image.max_side);
  bounds->set_max_prompts(limits.max_prompts);
  bounds->set_max_exemplars(limits.max_exemplars);
  bounds->set_max_points(limits.max_points);
  bounds->set_max_text_tokens(kTextContextLength);
  bounds->set_max_message_size_bytes(limits.max_message_bytes);
  bounds->set_max_chunk_size_bytes(limits.max_chunk_bytes);
  auto* room = out.mutable_capacity();
  *room->mutable_per_image() = ToProto(capacity.per_image);
  *room->mutable_per_prompt() = ToProto(capacity.per_prompt);
  room->set_stream_slots_free_count(capacity.stream_slots_free);
  room->set_queued_jobs_count(capacity.queued_jobs);
  bounds->set_max_streams(capacity.stream_slots_free);
  respond(std::move(out));
}

}  // namespace sam3
