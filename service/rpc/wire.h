#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "sam3/v1/segmentation_service.grpc.pb.h"

namespace sam3 {

// The service with all messages as bytes, which calls parse themselves. gRPC
// would answer INTERNAL, without details, to bytes that are no message, and
// would take them for the end of the input on a stream.
using WireService = v1::SegmentationService::WithRawMethod_SegmentConcepts<
    v1::SegmentationService::WithRawMethod_SegmentObjects<
        v1::SegmentationService::WithRawMethod_EmbedImage<
            v1::SegmentationService::WithRawMethod_UploadImage<
                v1::SegmentationService::WithRawMethod_SegmentStream<
                    v1::SegmentationService::WithRawMethod_Explain<
                        v1::SegmentationService::WithRawMethod_GetServerInfo<
                            v1::SegmentationService::Service>>>>>>>;

// INVALID_ARGUMENT for bytes that are no such message; where texts are to blame
// that are not UTF-8, it names them. `bytes` is empty afterwards. Pure.
absl::Status ParseMessage(grpc::ByteBuffer* bytes,
                          google::protobuf::Message* message);

grpc::ByteBuffer SerializeMessage(const google::protobuf::Message& message);

}  // namespace sam3
