#include "inference/torch/postprocess.h"

#include <algorithm>
#include <cmath>

namespace sam3 {
namespace {

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

}  // namespace

Detections SelectDetections(const at::Tensor& logits, const at::Tensor& boxes,
                            float presence_logit,
                            const GroundOptions& options) {
  Detections result;
  result.presence_score = Sigmoid(presence_logit);
  const auto scores = logits.accessor<float, 1>();
  const auto corners = boxes.accessor<float, 2>();
  for (int64_t query = 0; query < logits.size(0); ++query) {
    Detection detection;
    detection.query_score = Sigmoid(scores[query]);
    detection.presence_score = result.presence_score;
    detection.score = detection.query_score * result.presence_score;
    // A threshold of zero means every query, also one whose score underflows.
    if (options.score_threshold > 0 &&
        !(detection.score > options.score_threshold)) {
      continue;
    }
    detection.query_index = static_cast<int>(query);
    detection.box = {corners[query][0], corners[query][1], corners[query][2],
                     corners[query][3]};
    result.detections.push_back(detection);
  }
  std::stable_sort(
      result.detections.begin(), result.detections.end(),
      [](const Detection& a, const Detection& b) { return a.score > b.score; });
  if (options.max_detections > 0 &&
      result.detections.size() > static_cast<size_t>(options.max_detections)) {
    result.detections.resize(static_cast<size_t>(options.max_detections));
  }
  return result;
}

void AttachMasks(const at::Tensor& logits, bool as_logits,
                 Detections* detections) {
  const at::Tensor masks =
      (as_logits ? logits.to(at::kFloat) : logits.sigmoid()).cpu().contiguous();
  const auto area = static_cast<size_t>(masks.size(1) * masks.size(2));
  const float* values = masks.const_data_ptr<float>();
  for (size_t i = 0; i < detections->detections.size(); ++i) {
    LowResMask& mask = detections->detections[i].mask;
    mask.width = static_cast<int>(masks.size(2));
    mask.height = static_cast<int>(masks.size(1));
    mask.values.assign(values + i * area, values + (i + 1) * area);
    mask.threshold = as_logits ? 0.0f : 0.5f;
  }
}

}  // namespace sam3
