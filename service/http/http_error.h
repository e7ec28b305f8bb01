#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/http/message.h"

namespace sam3 {

// One thing that is wrong with the form of a request.
struct RequestProblem {
  std::string field;  // as in "prompts[0].boxes[1].x"; empty for the whole body
  std::string type;   // as FastAPI names it, as in "missing"
  std::string message;
};

// Collects what is wrong, so that all is told at once. A request that is wrong
// everywhere is told about the first hundred.
class RequestProblems {
 public:
  void Add(std::string field, std::string type, std::string message);
  bool empty() const { return problems_.empty(); }
  const std::vector<RequestProblem>& all() const { return problems_; }

 private:
  std::vector<RequestProblem> problems_;
};

// 422 in FastAPI's shape: {"detail": [{"loc": ["body", ...], "msg", "type"}]}.
HttpResponse ProblemsResponse(const RequestProblems& problems);

// {"message", "reason"} with the HTTP status that `status` stands for. What
// validation found is told as problems are, with the v1 paths of fields turned
// into those of the JSON body.
HttpResponse ErrorResponse(const absl::Status& status);

// {"message", "reason"}.
HttpResponse MessageResponse(int http_status, absl::string_view message,
                             absl::string_view reason);

}  // namespace sam3
