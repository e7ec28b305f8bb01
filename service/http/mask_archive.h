#pragma once

#include "sam3/v1/segmentation_service.pb.h"
#include "service/http/message.h"

namespace sam3 {

// Answers as a NumPy archive for `numpy.load`, of N masks in the order of the
// prompts:
//
//   masks          uint8 [N, H, W]    1 inside, at the picture's size
//   low_res_masks  float32 [N, h, w]  the model's logits, inside above 0
//   confidence     float32 [N]
//   prompt_index   int32 [N]
//
// N may be 0. 413 when the masks would take more than a gigabyte; no format
// that suits so many is larger than a few megabytes. Masks come with
// FORMAT_LOGITS and RESOLUTION_MODEL. Pure; any thread; takes as long as
// deflating the masks.
HttpResponse WriteConceptArchive(const v1::SegmentConceptsResponse& answer);
HttpResponse WriteObjectArchive(const v1::SegmentObjectsResponse& answer);

}  // namespace sam3
