#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "pipeline/admission.h"
#include "pipeline/job.h"
#include "pipeline/pipeline_core.h"
#include "pipeline/request_context.h"
#include "pipeline/segmentation.h"

namespace sam3 {

// One still picture on its way through the pipeline: fetched on the fetch pool
// if it has a URL, looked up or decoded on the decode pool, queued, run on the
// device, encoded on the encode pool. Asks before every stage whether the
// answer is still wanted. Owns itself through the closures and the job that
// carry it on; `done` is called exactly once. Threads: Abandon() from any;
// everything else one stage after the other.
class StillRequest : public std::enable_shared_from_this<StillRequest> {
 public:
  using Done = std::function<void(absl::StatusOr<ConceptResponse>)>;

  // Without prompts the picture is only embedded. `core` must outlive it.
  StillRequest(PipelineCore& core, ConceptRequest request,
               std::shared_ptr<RequestContext> context,
               std::unique_ptr<Admission::Ticket> ticket, Done done);

  // Returns at once; the work goes on on the pools.
  void Start();

  // Answers with `why` now, unless there was an answer already. The place in
  // the admission is given back when the stage that is under way has ended.
  void Abandon(absl::Status why);

 private:
  class StillJob;

  void Fetch();
  void Prepare();
  absl::StatusOr<EngineInput> MakeInput();
  absl::Status LookUpOrDecode(EngineInput* input);
  void OnEngineDone(absl::StatusOr<EngineOutput> output);
  void Encode(const EngineOutput& output);
  void Finish(absl::StatusOr<ConceptResponse> response);
  void Answer(absl::StatusOr<ConceptResponse> response);

  PipelineCore& core_;
  ConceptRequest request_;
  const std::shared_ptr<RequestContext> context_;
  std::unique_ptr<Admission::Ticket> ticket_;
  absl::Mutex mutex_;
  // Null once it was called.
  Done done_ ABSL_GUARDED_BY(mutex_);
  const absl::Time started_;
  // Filled stage by stage; one stage at a time touches it.
  ConceptResponse response_;
};

}  // namespace sam3
