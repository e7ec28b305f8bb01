#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

#include "absl/strings/string_view.h"
#include "pipeline/metrics.h"

namespace sam3 {

// The routes, in the order of kHttpRouteNames.
enum class HttpRoute {
  kConceptSegment,
  kVisualSegment,
  kEmbedImage,
  kOpenApi,
  kHealth,
  kReady,
  kOther,
};
inline constexpr absl::string_view kHttpRouteNames[] = {"/sam3/concept_segment",
                                                        "/sam3/visual_segment",
                                                        "/sam3/embed_image",
                                                        "/openapi.json",
                                                        "/healthz",
                                                        "/readyz",
                                                        "other"};

// How HTTP requests were answered, by route and status. Threads: any; never
// blocks.
class HttpMetrics {
 public:
  // The last counts every other one.
  static constexpr int kStatuses[] = {200, 400, 401, 403, 404, 405,
                                      409, 413, 422, 429, 499, 500,
                                      501, 503, 504, 507, 0};
  static constexpr size_t kRouteCount = std::size(kHttpRouteNames);
  static constexpr size_t kStatusCount = std::size(kStatuses);

  void Record(HttpRoute route, int status) {
    const auto* known =
        std::find(std::begin(kStatuses), std::end(kStatuses) - 1, status);
    answered_[static_cast<size_t>(route)]
             [static_cast<size_t>(known - std::begin(kStatuses))]
                 .Add();
  }

  // `status` is an index into kStatuses.
  const Counter& answered(size_t route, size_t status) const {
    return answered_[route][status];
  }

 private:
  std::array<std::array<Counter, kStatusCount>, kRouteCount> answered_;
};

}  // namespace sam3
