#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "inference/engine.h"
#include "inference/engine_factory.h"

namespace sam3 {

// What a test (or a load generator) dictates to a fake engine and reads from
// it. Shared by both; thread-safe.
class FakeEngineScript {
 public:
  enum class Step { kEncodeImages, kGround };
  // Every later call of `step` waits until OpenGate().
  void CloseGate(Step step = Step::kGround);
  void OpenGate();
  // Blocks until a call waits at the gate.
  void AwaitGateReached();
  // Called by the engine; returns at once while the gate of `step` is open.
  void PassGate(Step step);

  // The next `calls` calls of EncodeImages or Ground fail with `status`.
  void FailNext(int calls, absl::Status status);
  absl::Status TakeFailure();

  // A call on `n` items takes at least fixed + n * each, by sleeping.
  struct Latency {
    absl::Duration fixed;
    absl::Duration per_image;
    absl::Duration per_pair;
  };
  void SetLatency(Latency latency);
  Latency latency() const;

  std::atomic<int64_t> images_encoded{0};
  std::atomic<int64_t> texts_encoded{0};
  std::atomic<int64_t> pairs_grounded{0};
  std::atomic<int64_t> ground_calls{0};
  std::atomic<int64_t> largest_batch{0};
  std::atomic<int64_t> pairs_with_masks{0};
  std::atomic<int64_t> objects_clicked{0};
  std::atomic<int64_t> objects_refined{0};
  std::atomic<int64_t> frames_tracked{0};
  std::atomic<int64_t> objects_asked{0};
  // What GetServerInfo and requests are told; read when the engine is made.
  bool takes_clicks = true;
  bool tracks = true;

 private:
  mutable absl::Mutex mutex_;
  std::optional<Step> closed_ ABSL_GUARDED_BY(mutex_);
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Latency latency_ ABSL_GUARDED_BY(mutex_);
};

// A deterministic engine without a model, for tests and for measuring the
// service alone. It "finds" areas of pure red, green, blue and yellow: the
// prompt's text says which ("red", "blue things"); with exemplars it finds what
// has the colour at the first positive box's centre. Any other text finds
// nothing. Detections are connected areas on a 64 x 64 grid, largest first,
// with rectangular masks.
//
// A click, or else the box's centre, masks the connected area under it; the two
// other candidates are everything of that colour and the whole picture. On no
// colour at all there is no object. Earlier logits raise the predicted IoU.
//
// A followed object is the area of its colour that is nearest to where it was
// on the frame before; when none is near, there is nothing to be seen of it. A
// given object is the area under its click, its box's or its mask's centre.
//
// `script` may be null; then nothing ever waits or fails.
LoadedModel MakeFakeModel(std::shared_ptr<FakeEngineScript> script);

}  // namespace sam3
