#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pipeline/request_context.h"
#include "pipeline/segmenter.h"
#include "sam3/v1/segmentation_service.pb.h"
#include "service/validate.h"

namespace sam3 {

// What each unary method does, free of how calls arrive. Threads: any; nothing
// blocks; `respond` is called exactly once, from any thread.
class SegmentationCalls {
 public:
  template <typename Response>
  using Respond = std::function<void(absl::StatusOr<Response>)>;

  // Borrowed objects must outlive this one.
  SegmentationCalls(Segmenter& segmenter, const RequestValidator& validator,
                    std::string version)
      : segmenter_(segmenter),
        validator_(validator),
        version_(std::move(version)) {}

  void SegmentConcepts(
      const v1::SegmentConceptsRequest& request,
      const std::shared_ptr<RequestContext>& context,
      const Respond<v1::SegmentConceptsResponse>& respond) const;
  void SegmentObjects(const v1::SegmentObjectsRequest& request,
                      const std::shared_ptr<RequestContext>& context,
                      const Respond<v1::SegmentObjectsResponse>& respond) const;
  void EmbedImage(const v1::EmbedImageRequest& request,
                  const std::shared_ptr<RequestContext>& context,
                  const Respond<v1::EmbedImageResponse>& respond) const;
  void Explain(const v1::ExplainRequest& request,
               const std::shared_ptr<RequestContext>& context,
               const Respond<v1::ExplainResponse>& respond) const;
  void GetServerInfo(const v1::GetServerInfoRequest& request,
                     const std::shared_ptr<RequestContext>& context,
                     const Respond<v1::GetServerInfoResponse>& respond) const;

  Segmenter& segmenter() const { return segmenter_; }
  const RequestValidator& validator() const { return validator_; }

 private:
  Segmenter& segmenter_;
  const RequestValidator& validator_;
  const std::string version_;
};

}  // namespace sam3
