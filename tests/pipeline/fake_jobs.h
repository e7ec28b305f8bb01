#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "pipeline/job.h"

namespace sam3 {

// A job that records its outcome where the test can see it.
struct JobOutcome {
  int finished = 0;
  absl::Status status;
};

class RecordedJob final : public Job {
 public:
  RecordedJob(std::shared_ptr<RequestContext> context, Facts facts,
              std::shared_ptr<JobOutcome> outcome)
      : Job(std::move(context), facts), outcome_(std::move(outcome)) {}

  std::optional<EngineInput> TakeInput() override { return EngineInput{}; }
  void Finish(absl::StatusOr<EngineOutput> output) override {
    ++outcome_->finished;
    outcome_->status = output.status();
  }

 private:
  const std::shared_ptr<JobOutcome> outcome_;
};

}  // namespace sam3
