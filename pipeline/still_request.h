#pragma once

#include <memory>
#include <string>

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
// carry it on. What is asked about the picture and how it is answered is the
// derived class's.
// Threads: Abandon() from any; everything else one stage after the other.
class StillRequest : public std::enable_shared_from_this<StillRequest> {
 public:
  virtual ~StillRequest() = default;
  StillRequest(const StillRequest&) = delete;
  StillRequest& operator=(const StillRequest&) = delete;

  // Returns at once; the work goes on on the pools.
  void Start();

  // Answers with `why` now, unless there was an answer already. The place in
  // the admission is given back when the stage that is under way has ended.
  void Abandon(const absl::Status& why);

 protected:
  // `core` must outlive the request.
  StillRequest(PipelineCore& core, ImageSource image,
               std::shared_ptr<RequestContext> context,
               std::unique_ptr<Admission::Ticket> ticket);

  PipelineCore& core() const { return core_; }
  const RequestContext& context() const { return *context_; }

 private:
  class StillJob;

  // Adds what the device is asked; response().image is known. On the decode
  // pool.
  virtual absl::Status AddPrompts(EngineInput* input) = 0;
  // Fills the response's own part. On the encode pool.
  virtual absl::Status Encode(const EngineOutput& output) = 0;
  // Filled stage by stage; one stage at a time touches it.
  virtual StillResponse& response() = 0;
  // Hands out the response, or why there is none; exactly once.
  virtual void Respond(const absl::Status& status) = 0;

  void Fetch();
  void Prepare();
  absl::StatusOr<EngineInput> MakeInput();
  absl::Status ReadFile();
  absl::Status LookUpOrDecode(EngineInput* input);
  void OnEngineDone(absl::StatusOr<EngineOutput> output);
  absl::Status Conclude(const EngineOutput& output);
  void Finish(const absl::Status& status);
  void Answer(const absl::Status& status);

  PipelineCore& core_;
  ImageSource image_;
  const std::shared_ptr<RequestContext> context_;
  std::unique_ptr<Admission::Ticket> ticket_;
  absl::Mutex mutex_;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  const absl::Time started_;
};

}  // namespace sam3
