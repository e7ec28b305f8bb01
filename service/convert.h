#pragma once

#include "absl/time/time.h"
#include "inference/geometry.h"
#include "pipeline/object_segmentation.h"
#include "pipeline/segmentation.h"
#include "pipeline/stream_events.h"
#include "sam3/v1/segmentation_service.pb.h"

namespace sam3 {

// Between the wire's types and the pipeline's. Pure; any thread. Results are
// taken apart, so that masks are moved and not copied.

Box FromProto(const v1::Box& box);
MaskOptions FromProto(const v1::MaskOptions& options);

v1::Box ToProto(const Box& box);
google::protobuf::Duration ToProto(absl::Duration duration);
v1::ImageInfo ToProto(const ImageInfo& info);
v1::Timings ToProto(const RequestTimings& timings);
v1::EmbeddingCache ToProto(bool embedding_cache_hit);
v1::Mask ToProto(EncodedMask mask);
v1::PromptResult ToProto(PromptResult result);
v1::SegmentConceptsResponse ToProto(ConceptResponse response);
v1::SegmentObjectsResponse ToProto(ObjectResponse response);
// Without resume tokens, which say whose the stream is.
v1::SegmentStreamResponse ToProto(StreamEvent event);
v1::MaskOptions ToProto(const MaskOptions& options);

}  // namespace sam3
