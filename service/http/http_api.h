#pragma once

#include <atomic>
#include <memory>

#include "absl/time/time.h"
#include "inference/base/clock.h"
#include "service/http/compat.h"
#include "service/http/http_metrics.h"
#include "service/http/http_server.h"
#include "service/http/json_reader.h"
#include "service/keys/authenticator.h"
#include "service/rpc/call_log.h"
#include "service/segmentation_calls.h"

namespace sam3 {

// The published SAM 3 HTTP API on top of the service's calls: reads JSON, asks,
// writes JSON. Also /openapi.json, /healthz and /readyz.
//
// Threads: Handle on any, several at a time; it parses a body and does not wait
// for its answer, which is written by whatever thread has it. A client that
// hangs up, or whose time is up, cancels its work.
class HttpApi : public std::enable_shared_from_this<HttpApi> {
 public:
  struct Options {
    HttpCompat compat = HttpCompat::kFixed;
    // Until a request must be answered.
    absl::Duration timeout = absl::Seconds(60);
    // Null lets everybody in. Must outlive the API.
    Authenticator* authenticator = nullptr;
    // Where requests that failed by the server's own fault get a line; null for
    // nowhere. Must outlive the API and what it has handled.
    CallLog* log = nullptr;
  };

  // All must outlive this object and what it has handled, which keep it alive.
  HttpApi(const SegmentationCalls& calls, const Options& options, Clock& clock,
          HttpMetrics& metrics)
      : calls_(calls), options_(options), clock_(clock), metrics_(metrics) {}

  void Handle(const std::shared_ptr<HttpExchange>& exchange) const;

  // Whether /readyz may say so; it does as long as the segmenter agrees.
  void SetReady(bool ready) { ready_ = ready; }

 private:
  // One request for work on its way through the service.
  class Flight;

  // GET and HEAD.
  HttpResponse Tell(HttpRoute route) const;
  void Work(HttpRoute route,
            const std::shared_ptr<HttpExchange>& exchange) const;
  // Lets a request in that presents `key`, or says why not.
  absl::StatusOr<std::shared_ptr<const CallPermit>> Admit(
      HttpRoute route, absl::string_view key, const std::string& peer) const;
  void Start(const std::shared_ptr<Flight>& flight, const JsonFields& body,
             const RequestProblems& problems) const;
  template <typename Call, typename Request, typename Answer>
  void Ask(const std::shared_ptr<Flight>& flight,
           const std::shared_ptr<Call>& call,
           void (SegmentationCalls::*method)(
               const Request&, const std::shared_ptr<RequestContext>&,
               const SegmentationCalls::Respond<Answer>&) const,
           HttpResponse (*write)(const Call&, const Answer&)) const;

  const SegmentationCalls& calls_;
  const Options options_;
  Clock& clock_;
  HttpMetrics& metrics_;
  std::atomic<bool> ready_{true};
};

}  // namespace sam3
