#pragma once

#include <array>
#include <cstddef>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "pipeline/error_reason.h"
#include "pipeline/metrics.h"

namespace sam3 {

// The methods, in the order of kRpcMethodNames.
enum class RpcMethod {
  kSegmentConcepts,
  kSegmentObjects,
  kEmbedImage,
  kUploadImage,
  kSegmentStream,
  kExplain,
  kGetServerInfo,
};
inline constexpr absl::string_view kRpcMethodNames[] = {
    "SegmentConcepts", "SegmentObjects", "EmbedImage",   "UploadImage",
    "SegmentStream",   "Explain",        "GetServerInfo"};

// How calls ended, by method and code, and why those failed that did. Threads:
// any; never blocks.
class RpcMetrics {
 public:
  static constexpr size_t kMethodCount = std::size(kRpcMethodNames);
  static constexpr size_t kReasonCount = std::size(reason::kAll);
  static constexpr size_t kCodeCount =
      static_cast<size_t>(absl::StatusCode::kUnauthenticated) + 1;

  void Record(RpcMethod method, const absl::Status& status);

  const Counter& finished(size_t method, size_t code) const {
    return finished_[method][code];
  }
  // Index into reason::kAll.
  const Counter& failed(size_t reason) const { return failed_[reason]; }

 private:
  std::array<std::array<Counter, kCodeCount>, kMethodCount> finished_;
  std::array<Counter, kReasonCount> failed_;
};

}  // namespace sam3
